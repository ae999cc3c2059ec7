/** Colours of spectrograms: dark to bright, with lightness rising evenly. */

const STOPS = [
  [38, 10, 66],
  [52, 52, 128],
  [36, 100, 140],
  [24, 144, 138],
  [86, 186, 98],
  [188, 218, 52],
  [252, 240, 96],
];

/** RGB of levels 0 to 255, one after the other. */
export const COLOURS = Uint8ClampedArray.from({ length: 3 * 256 }, (_, i) => {
  const at = (Math.floor(i / 3) / 255) * (STOPS.length - 1);
  const below = Math.min(Math.floor(at), STOPS.length - 2);
  const channel = i % 3;
  return STOPS[below][channel] + (at - below) * (STOPS[below + 1][channel] - STOPS[below][channel]);
});
