/** A clip from the microphone. */

import { peakOf } from './meter.js';
import { Microphone } from './microphone.js';
import { toWav } from './wav.js';

const LONGEST = 300; // seconds

export class Recorder {
  /**
   * Begin to record.
   * @param {(seconds: number, peak: number) => void} onChunk  length so far, the chunk's peak
   * @param {() => void} onFull  the longest clip is recorded, or the microphone has gone
   */
  static async start(onChunk, onFull) {
    const microphone = await Microphone.open();
    return new Recorder(microphone, onChunk, onFull);
  }

  constructor(microphone, onChunk, onFull) {
    Object.assign(this, { microphone, chunks: [], seconds: 0, peak: 0 });
    const rate = microphone.context.sampleRate;
    microphone.onEnded(onFull);
    microphone.listen((samples) => {
      const peak = peakOf(samples);
      this.chunks.push(samples);
      this.seconds += samples.length / rate;
      this.peak = Math.max(this.peak, peak);
      onChunk(this.seconds, peak);
      if (this.isFull) onFull();
    });
  }

  get isFull() {
    return this.seconds >= LONGEST;
  }

  /** End the recording; gives a WAV file of it. */
  stop() {
    this.microphone.close();
    return toWav(this.chunks, this.microphone.context.sampleRate);
  }
}
