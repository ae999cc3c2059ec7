/** A spectrogram with F0 over it, on a canvas with labelled axes. */

import { COLOURS } from './colours.js';
import { bandOf } from './mel.js';
import { text } from './strings.js';

const HEIGHT = 220; // CSS pixels, as in style.css
const LEFT = 46; // as --left in style.css
const RIGHT = 12; // as --right in style.css
const TOP = 18;
const BOTTOM = 24;
const LOWEST = 60; // Hz, at the bottom; the axis is logarithmic, so that F0 has room
const HERTZ = [100, 200, 500, 1000, 2000, 5000, 10000, 20000];
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300]; // seconds between labels
const LABEL = 56; // CSS pixels for the label of a time

/** What the server says of one recording, its bytes decoded. */
export function decode({ f0, mel }) {
  const bytes = atob(mel);
  return { f0, mel: Uint8Array.from(bytes, (one) => one.charCodeAt()) };
}

/** The median of what is voiced, Hz; NaN if nothing is. */
export function medianPitch(f0) {
  const voiced = f0.filter((hertz) => hertz > 0).sort((a, b) => a - b);
  return voiced.length ? voiced[voiced.length >> 1] : NaN;
}

export class Picture {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{f0: number[], mel: Uint8Array}} drawn
   * @param {{bands: number, period: number, seconds: number, sampleRate: number}} axes  period: of
   *     frames; seconds: length of the axis
   */
  constructor(canvas, drawn, axes) {
    Object.assign(this, { canvas, ...drawn, ...axes });
    this.sizes = new ResizeObserver(() => this.#draw());
    this.sizes.observe(canvas);
    this.scheme = matchMedia('(prefers-color-scheme: dark)');
    this.redraw = () => this.#draw();
    this.scheme.addEventListener('change', this.redraw);
  }

  close() {
    this.sizes.disconnect();
    this.scheme.removeEventListener('change', this.redraw);
  }

  #draw() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    if (!width) return;
    const scale = devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    const pen = canvas.getContext('2d');
    pen.scale(scale, scale);
    this.box = { width: width - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };
    this.#drawBands(pen, Math.round(this.box.width * scale), Math.round(this.box.height * scale));
    this.#drawPitch(pen);
    this.#drawAxes(pen);
  }

  /** One column per pixel: the loudest of its frames; rows lie between the centres of bands. */
  #drawBands(pen, columns, rows) {
    const image = new ImageData(columns, rows);
    const frames = this.mel.length / this.bands;
    const perColumn = this.seconds / this.period / columns;
    const bandOfRow = Array.from({ length: rows }, (_, y) => this.#band(1 - (y + 0.5) / rows));
    for (let x = 0; x < columns; x += 1) {
      const first = Math.min(frames - 1, Math.floor(x * perColumn));
      const last = Math.min(frames, Math.max(first + 1, Math.floor((x + 1) * perColumn)));
      const levels = this.#loudest(first, last);
      bandOfRow.forEach((band, y) => {
        const below = Math.floor(band);
        const above = Math.min(below + 1, this.bands - 1);
        const level = Math.round(levels[below] + (band - below) * (levels[above] - levels[below]));
        const at = 4 * (y * columns + x);
        image.data.set(COLOURS.subarray(3 * level, 3 * level + 3), at);
        image.data[at + 3] = 255;
      });
    }
    const scale = devicePixelRatio;
    pen.putImageData(image, Math.round(LEFT * scale), Math.round(TOP * scale));
  }

  /** The largest level of each band in frames from `first` to before `last`. */
  #loudest(first, last) {
    const levels = new Uint8Array(this.bands);
    for (let t = first; t < last; t += 1)
      for (let band = 0; band < this.bands; band += 1)
        levels[band] = Math.max(levels[band], this.mel[t * this.bands + band]);
    return levels;
  }

  #drawPitch(pen) {
    const line = new Path2D();
    this.f0.forEach((hertz, t) => {
      if (!(hertz > 0)) return;
      const [x, y] = [this.#x(t * this.period), this.#y(hertz)];
      if (this.f0[t - 1] > 0) line.lineTo(x, y);
      else line.moveTo(x, y);
    });
    Object.assign(pen, { lineJoin: 'round', lineCap: 'round' });
    for (const [colour, width] of [['#000', 4], ['#fff', 1.75]]) {
      Object.assign(pen, { strokeStyle: colour, lineWidth: width });
      pen.stroke(line);
    }
  }

  #drawAxes(pen) {
    const { color, fontFamily } = getComputedStyle(this.canvas);
    Object.assign(pen, { fillStyle: color, strokeStyle: color, lineWidth: 1 });
    pen.font = `12px ${fontFamily}`;
    this.#drawHertz(pen);
    this.#drawSeconds(pen);
  }

  #drawHertz(pen) {
    Object.assign(pen, { textAlign: 'right', textBaseline: 'middle' });
    for (const hertz of HERTZ.filter((one) => one <= this.sampleRate / 2)) {
      const y = this.#y(hertz);
      pen.fillRect(LEFT - 4, y - 0.5, 4, 1);
      if (y - TOP > 6) pen.fillText(hertz < 1000 ? hertz : `${hertz / 1000}k`, LEFT - 7, y);
    }
    pen.fillText(text('axis_frequency'), LEFT - 7, TOP - 8);
  }

  #drawSeconds(pen) {
    Object.assign(pen, { textAlign: 'center', textBaseline: 'top' });
    const bottom = HEIGHT - BOTTOM;
    const most = Math.max(1, this.box.width / LABEL);
    const step = STEPS.find((one) => this.seconds / one <= most) ?? STEPS.at(-1);
    const digits = step < 1 ? 1 : 0;
    const room = LABEL / 2; // the unit stands at the right end
    for (let i = 0; i * step <= this.seconds + 1e-6; i += 1) {
      const x = this.#x(i * step);
      pen.fillRect(x - 0.5, bottom, 1, 4);
      if (x <= LEFT + this.box.width - room)
        pen.fillText((i * step).toFixed(digits), x, bottom + 7);
    }
    pen.textAlign = 'right';
    pen.fillText(text('axis_time'), LEFT + this.box.width, bottom + 7);
  }

  #x(seconds) {
    return LEFT + (seconds / this.seconds) * this.box.width;
  }

  #y(hertz) {
    const share = Math.log(hertz / LOWEST) / Math.log(this.sampleRate / 2 / LOWEST);
    return TOP + (1 - Math.max(0, share)) * this.box.height;
  }

  /** The band, as a fraction, at a height from 0 to 1. */
  #band(share) {
    const hertz = LOWEST * (this.sampleRate / 2 / LOWEST) ** share;
    return Math.max(0, Math.min(bandOf(hertz, this.bands, this.sampleRate), this.bands - 1));
  }
}
