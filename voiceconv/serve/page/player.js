/** Two recordings on one clock, of which one is heard: switching keeps the position. */

const FADE = 0.003; // seconds, time constant of all fades
const SILENT = 6 * FADE;

export class Player {
  /**
   * @param {Object<string, AudioBuffer>} buffers
   * @param {string} heard  the one that is heard first
   * @param {() => void} onChange  play, pause, switch, seek or end
   */
  constructor(buffers, heard, onChange) {
    Object.assign(this, { buffers, heard, onChange, run: null, offset: 0 });
    this.duration = Math.max(...Object.values(buffers).map((buffer) => buffer.duration));
  }

  get playing() {
    return this.run !== null;
  }

  /** Seconds from the beginning. */
  get position() {
    if (!this.run) return this.offset;
    const elapsed = Math.max(0, this.context.currentTime - this.run.startedAt);
    return Math.min(this.duration, this.offset + elapsed);
  }

  /** Play from the position; at the end, from the beginning. */
  play() {
    if (this.run) return;
    this.context ??= new AudioContext();
    this.context.resume();
    if (this.offset >= this.duration - 0.01) this.offset = 0;
    this.#start();
    this.onChange();
  }

  pause() {
    if (!this.run) return;
    this.offset = this.position;
    this.#end();
    this.onChange();
  }

  seek(seconds) {
    const playing = this.run !== null;
    if (playing) this.#end();
    this.offset = Math.max(0, Math.min(seconds, this.duration));
    if (playing) this.#start();
    this.onChange();
  }

  /** Let the other recording be heard, at the same position. */
  switchTo(name) {
    this.heard = name;
    for (const [one, { gain }] of Object.entries(this.run?.gains ?? {}))
      gain.setTargetAtTime(one === name ? 1 : 0, this.context.currentTime, FADE);
    this.onChange();
  }

  close() {
    if (this.run) this.#end();
    this.context?.close();
  }

  /** All recordings start at one time; one has gain 1. */
  #start() {
    const { context } = this;
    const volume = new GainNode(context, { gain: 0 });
    const run = { volume, gains: {}, sources: [], startedAt: context.currentTime };
    volume.connect(context.destination);
    volume.gain.setTargetAtTime(1, run.startedAt, FADE);
    for (const [name, buffer] of Object.entries(this.buffers)) {
      const source = new AudioBufferSourceNode(context, { buffer });
      run.gains[name] = new GainNode(context, { gain: name === this.heard ? 1 : 0 });
      source.connect(run.gains[name]).connect(volume);
      source.start(run.startedAt, this.offset);
      run.sources.push(source);
      source.onended = () => this.#finish(run);
    }
    this.run = run;
  }

  #end() {
    const now = this.context.currentTime;
    const { volume, sources } = this.run;
    volume.gain.setTargetAtTime(0, now, FADE);
    for (const source of sources) {
      source.onended = () => volume.disconnect();
      source.stop(now + SILENT);
    }
    this.run = null;
  }

  #finish(run) {
    if (this.run !== run) return;
    run.volume.disconnect();
    Object.assign(this, { run: null, offset: this.duration });
    this.onChange();
  }
}
