/** The test's recordings, decoded; asked for early, kept until they were used. */

import { persist, request } from './requests.js';

export class Recordings {
  #promised = new Map(); // stimulus -> promise of its AudioBuffer

  /** @param {AudioContext} context  recordings are resampled to its rate, once */
  constructor(context) {
    this.context = context;
  }

  /** Promise of the recordings: Map<stimulus, AudioBuffer>. */
  async get(ids) {
    const buffers = await Promise.all(ids.map((id) => this.#one(id)));
    return new Map(ids.map((id, i) => [id, buffers[i]]));
  }

  /** Load ahead what will be wanted, and forget all else. */
  expect(ids) {
    for (const id of this.#promised.keys()) if (!ids.includes(id)) this.#promised.delete(id);
    for (const id of ids) this.#one(id).catch(() => {}); // who `get`s it is told
  }

  #one(id) {
    if (!this.#promised.has(id)) this.#promised.set(id, this.#load(id));
    return this.#promised.get(id);
  }

  async #load(id) {
    const path = `stimuli/${id}.wav`;
    try {
      const response = await persist(() => request(path));
      return await this.context.decodeAudioData(await response.arrayBuffer());
    } catch (error) {
      throw new Error(`${path}: ${error.message}`); // who built the test knows what it is
    }
  }
}
