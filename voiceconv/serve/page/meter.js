/** A level meter from -60 to 0 dBFS. */

import { decimal, text } from './strings.js';

const LOWEST = -60;

/** The largest magnitude of samples. */
export function peakOf(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

/** Show a peak (1: full scale) in an element of role meter. */
export function showLevel(element, peak) {
  const level = Math.max(LOWEST, Math.min(0, 20 * Math.log10(peak)));
  element.setAttribute('aria-valuenow', decimal(level, 0));
  element.setAttribute('aria-valuetext', text('decibels', { value: decimal(level, 0) }));
  element.style.setProperty('--level', 1 - level / LOWEST);
  element.classList.toggle('clipped', peak >= 1);
}
