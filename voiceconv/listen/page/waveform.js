/** The waveform of a recording, with the region that is repeated between two handles. */

import { make } from './dom.js';
import { SHORTEST_LOOP } from './player.js';
import { decimal, text } from './strings.js';

const HEIGHT = 88; // CSS pixels

export class Waveform {
  /**
   * @param {AudioBuffer} buffer
   * @param {number} seconds  length of the axis
   * @param {(start: number, end: number) => void} onRegion  the listener has set a region
   */
  constructor(buffer, seconds, onRegion) {
    Object.assign(this, { buffer, seconds, onRegion, region: [0, seconds] });
    this.canvas = make('canvas', { 'aria-hidden': 'true' });
    this.shade = make('div.shade');
    this.head = make('div.head');
    this.handles = ['start', 'end'].map((which, i) => this.#handle(which, i));
    this.element = make('div.waveform', {}, this.canvas, this.shade, this.head, this.handles);
    this.sizes = new ResizeObserver(() => this.#draw());
    this.sizes.observe(this.canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
    this.showRegion(0, seconds);
  }

  /** Show a region, in seconds. */
  showRegion(start, end) {
    this.region = [start, end];
    this.handles.forEach((handle, i) => {
      const at = this.region[i];
      handle.value = at;
      handle.setAttribute('aria-valuetext', text('loop.at', { seconds: decimal(at, 2) }));
    });
    this.shade.style.setProperty('--start', start / this.seconds);
    this.shade.style.setProperty('--end', end / this.seconds);
  }

  /** Show where the recording plays. */
  showPosition(seconds) {
    this.head.style.setProperty('--at', seconds / this.seconds);
  }

  #handle(which, i) {
    const handle = make(`input.handle.${which}`, {
      type: 'range',
      min: 0,
      max: this.seconds,
      step: 0.01,
      'aria-label': text(`loop.${which}`),
      oninput: () => this.#move(i, Number(handle.value)),
      onchange: () => this.onRegion(...this.region),
    });
    return handle;
  }

  /** Handles don't pass each other, nor come closer than the shortest loop. */
  #move(i, at) {
    const shortest = Math.min(SHORTEST_LOOP, this.seconds);
    const [start, end] = this.region;
    if (i === 0) this.showRegion(Math.min(at, end - shortest), end);
    else this.showRegion(start, Math.max(at, start + shortest));
  }

  #draw() {
    const { canvas } = this;
    const scale = devicePixelRatio;
    const width = Math.round(canvas.clientWidth * scale);
    if (!width) return;
    canvas.width = width;
    canvas.height = HEIGHT * scale;
    const pen = canvas.getContext('2d');
    pen.fillStyle = getComputedStyle(canvas).color;
    const step = 3 * scale;
    const peaks = this.#peaks(Math.floor(width / step));
    const loudest = Math.max(...peaks, 1e-4);
    peaks.forEach((peak, i) => {
      const height = Math.max(scale, (peak / loudest) * canvas.height * 0.92);
      pen.fillRect(i * step, (canvas.height - height) / 2, 2 * scale, height);
    });
  }

  /** The largest magnitude in each of n equal parts of the axis. */
  #peaks(n) {
    const samples = this.buffer.getChannelData(0);
    const perPart = (this.seconds * this.buffer.sampleRate) / n;
    return Array.from({ length: n }, (_, i) => {
      let peak = 0;
      const last = Math.min(samples.length, Math.floor((i + 1) * perPart));
      for (let at = Math.floor(i * perPart); at < last; at += 1)
        peak = Math.max(peak, Math.abs(samples[at]));
      return peak;
    });
  }
}
