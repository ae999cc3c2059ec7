/** Recordings that play together, one of them to be heard: switching keeps the position. */

import { Stretches } from './stretches.js';

/** Seconds. BS.1534-3, 5.3: 5 ms raised-cosine fades when looping and switching, and no cross-fade. */
export const FADE = 0.005;
export const SHORTEST_LOOP = 0.5; // seconds, ibid.
const LEAD = 0.01; // what is asked of the audio thread lies so far ahead that it cannot be late
const RISE = Float32Array.from({ length: 65 }, (_, i) => (1 - Math.cos((Math.PI * i) / 64)) / 2);
const FALL = Float32Array.from(RISE).reverse();

export class Player {
  /** @param {BaseAudioContext} context */
  constructor(context) {
    this.context = context;
    this.load(new Map());
  }

  /**
   * Take other recordings.
   * @param {Map<string, AudioBuffer>} buffers
   * @param {{loops?: boolean, together?: boolean}} how  loops: repeat the region until stopped;
   *     together: whoever is chosen goes on where the one before was, else from the beginning
   */
  load(buffers, { loops = false, together = true } = {}) {
    if (this.current) this.stop();
    Object.assign(this, { buffers, loops, together, current: null });
    this.seconds = Math.max(0, ...[...buffers.values()].map((buffer) => buffer.duration));
    this.region = [0, this.seconds];
    this.heard = new Map([...buffers.keys()].map((id) => [id, new Stretches()]));
    this.voices = new Map(); // id -> {source, gain}; empty when nothing plays
    this.busy = 0; // time until which fades are under way
  }

  /** Let one recording be heard: from the start of the region, or in place of what plays. */
  play(id) {
    if (this.context.state !== 'running' && this.context instanceof AudioContext)
      this.context.resume();
    if (!this.current) this.#start(id, this.#soon());
    else if (this.together && this.position < this.buffers.get(id).duration) this.#switch(id);
    else this.#start(id, this.#fadeOut());
  }

  stop() {
    if (this.current) this.#fadeOut();
    this.current = null;
  }

  /** Repeat only this part, in seconds, at least SHORTEST_LOOP long where the recordings are. */
  setRegion(start, end) {
    const shortest = Math.min(SHORTEST_LOOP, this.seconds);
    const from = Math.min(Math.max(0, start), this.seconds - shortest);
    this.region = [from, Math.min(this.seconds, Math.max(end, from + shortest))];
    if (this.current) this.#start(this.current, this.#fadeOut());
  }

  /** Seconds from the beginning of the recordings. */
  get position() {
    const [start, end] = this.region;
    if (!this.current) return start;
    const elapsed = Math.max(0, this.context.currentTime - this.origin);
    return this.loops ? start + (elapsed % (end - start)) : Math.min(start + elapsed, end);
  }

  /** Keep account of what was heard, and stop at the end; to be called a few times a second. */
  tick() {
    if (!this.current) return;
    this.#account(this.context.currentTime);
    const ended = !this.loops && this.position >= this.buffers.get(this.current).duration;
    if (ended) this.stop();
  }

  #soon() {
    return Math.max(this.context.currentTime + LEAD, this.busy);
  }

  /** All recordings start, at one time; all but one at gain 0. */
  #start(id, at) {
    for (const [name, buffer] of this.buffers) {
      const source = new AudioBufferSourceNode(this.context, {
        buffer: this.#cut(buffer),
        loop: this.loops,
      });
      const gain = new GainNode(this.context, { gain: name === id ? 1 : 0 });
      source.connect(gain).connect(this.context.destination);
      source.start(at);
      this.voices.set(name, { source, gain: gain.gain });
    }
    Object.assign(this, { current: id, origin: at, marked: at });
  }

  #switch(id) {
    if (id === this.current) return;
    const at = this.#soon();
    this.#account(at);
    this.voices.get(this.current).gain.setValueCurveAtTime(FALL, at, FADE);
    this.voices.get(id).gain.setValueCurveAtTime(RISE, at + FADE, FADE);
    this.busy = at + 2 * FADE + 1e-6; // curves must not touch
    this.current = id;
  }

  /** What plays comes to its end; gives the time from which on there is silence. */
  #fadeOut() {
    const at = this.#soon();
    this.#account(at);
    this.voices.get(this.current).gain.setValueCurveAtTime(FALL, at, FADE);
    for (const { source } of this.voices.values()) source.stop(at + FADE);
    this.voices.clear();
    return at + FADE;
  }

  /** The recording being heard has been heard from `marked` to `now`. */
  #account(now) {
    const [start, end] = this.region;
    const stretches = this.heard.get(this.current);
    const length = this.buffers.get(this.current).duration;
    let from = this.marked - this.origin;
    const to = this.loops ? now - this.origin : Math.min(now - this.origin, end - start);
    while (from < to) {
      const turn = Math.floor(from / (end - start) + 1e-9) * (end - start);
      const until = Math.min(to, turn + end - start);
      stretches.add(start + from - turn, Math.min(start + until - turn, length));
      from = until;
    }
    this.marked = Math.max(this.marked, now);
  }

  /** The region of a recording, silence after its end; faded at both ends if it is repeated. */
  #cut(buffer) {
    const rate = buffer.sampleRate;
    const [first, last] = this.region.map((seconds) => Math.round(seconds * rate));
    const { numberOfChannels } = buffer;
    const cut = new AudioBuffer({ length: last - first, sampleRate: rate, numberOfChannels });
    for (let channel = 0; channel < numberOfChannels; channel += 1) {
      const samples = new Float32Array(last - first);
      samples.set(buffer.getChannelData(channel).subarray(first, last));
      if (this.loops) fadeEdges(samples, Math.round(FADE * rate));
      cut.copyToChannel(samples, channel);
    }
    return cut;
  }
}

function fadeEdges(samples, length) {
  for (let i = 0; i < Math.min(length, samples.length); i += 1) {
    const factor = (1 - Math.cos((Math.PI * i) / length)) / 2;
    samples[i] *= factor;
    samples[samples.length - 1 - i] *= factor;
  }
}
