/** Plays blocks as they come, through a reserve against late ones.
 *
 * Positions are samples of the stream since its beginning, at its rate. Playing begins when the
 * reserve is filled. If a block comes too late, silence is played until the reserve, then larger,
 * is filled again. What is more than needed, after a delay that is over, is skipped.
 */

const RESERVE = { first: 0.06, step: 0.02, most: 0.24 }; // seconds
const WINDOW = 2; // seconds over which the fill is watched before anything is skipped
const SPARE = 0.02; // seconds beyond the reserve that are not skipped
const FADE = 0.005; // seconds
const CAPACITY = 8; // seconds
const REPORTS = 10; // per second

class Play extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.rate = rate;
    this.step = rate / sampleRate;
    this.fade = Math.round(FADE * sampleRate); // frames of the output
    this.ring = new Float32Array(CAPACITY * rate);
    this.reserve = RESERVE.first * rate;
    Object.assign(this, { read: 0, written: 0, playing: false, underruns: 0 });
    Object.assign(this, { gain: 0, last: 0, skip: 0, mix: 0, peak: 0, quanta: 0 });
    this.#watch();
    this.port.onmessage = ({ data }) => this.#write(data);
  }

  #write(block) {
    const fits = Math.min(block.length, this.ring.length - Math.ceil(this.written - this.read) - 1);
    for (let i = 0; i < fits; i += 1)
      this.ring[(this.written + i) % this.ring.length] = block[i];
    this.written += fits;
  }

  /** Linear interpolation at a position. */
  #at(position) {
    const first = Math.floor(position);
    const share = position - first;
    const one = this.ring[first % this.ring.length];
    if (share === 0) return one;
    return one + share * (this.ring[(first + 1) % this.ring.length] - one);
  }

  process(_, [[output]]) {
    for (let i = 0; i < output.length; i += 1) {
      output[i] = this.#next();
      this.peak = Math.max(this.peak, Math.abs(output[i]));
    }
    this.#trim();
    this.quanta += 1;
    if (this.quanta >= sampleRate / output.length / REPORTS) this.#report(output.length);
    return true;
  }

  #next() {
    if (!this.playing && this.written - this.read >= this.reserve) this.#begin();
    if (this.playing && this.read + this.skip + 1 >= this.written) this.#runOut();
    if (!this.playing) return (this.last *= 0.98); // the last sample fades out
    this.gain = Math.min(1, this.gain + 1 / this.fade);
    this.last = this.gain * this.#mixed();
    this.read += this.step;
    return this.last;
  }

  /** The sample to play; during a skip, a cross-fade of what is here and what is ahead. */
  #mixed() {
    const here = this.#at(this.read);
    if (!this.skip) return here;
    this.mix = Math.min(1, this.mix + 1 / this.fade);
    const mixed = here + this.mix * (this.#at(this.read + this.skip) - here);
    if (this.mix >= 1) {
      this.read += this.skip;
      Object.assign(this, { skip: 0, mix: 0 });
    }
    return mixed;
  }

  #begin() {
    Object.assign(this, { playing: true, gain: 0 });
    this.#watch();
  }

  #runOut() {
    Object.assign(this, { playing: false, skip: 0, mix: 0 });
    this.underruns += 1;
    this.reserve = Math.min(this.reserve + RESERVE.step * this.rate, RESERVE.most * this.rate);
  }

  #watch() {
    Object.assign(this, { lowest: Infinity, watchedSince: currentFrame });
  }

  /** Skip what has not been needed for a while. */
  #trim() {
    if (!this.playing || this.skip) return;
    this.lowest = Math.min(this.lowest, this.written - this.read);
    if (currentFrame - this.watchedSince < WINDOW * sampleRate) return;
    const excess = Math.floor(this.lowest - this.reserve);
    if (excess > SPARE * this.rate) this.skip = excess;
    this.#watch();
  }

  #report(length) {
    this.port.postMessage({
      frame: currentFrame + length,
      position: this.read / this.rate,
      buffered: (this.written - this.read) / this.rate,
      playing: this.playing,
      underruns: this.underruns,
      peak: this.peak,
    });
    Object.assign(this, { peak: 0, quanta: 0 });
  }
}

registerProcessor('play', Play);
