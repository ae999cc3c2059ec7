/**
 * The headphone check of Woods et al. 2017 (Attention, Perception & Psychophysics 79): which of
 * three tones is quietest? Two are equal, one of them in antiphase, so that loudspeakers cancel it;
 * the third is 6 dB lower, which headphones let one hear.
 */

const FREQUENCY = 200; // Hz
const TONE = 1; // seconds
const PAUSE = 0.5;
const RAMP = 0.1;
const LEVEL = 0.2; // amplitude
const QUIETER = 10 ** (-6 / 20);

/** Tones as a round has them: an order of "equal", "antiphase" and "quiet". */
export function drawRound(random = Math.random) {
  const order = ['equal', 'antiphase', 'quiet'];
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** A round's sound: two channels, three tones. */
export function makeTones(order, sampleRate) {
  const period = Math.round((TONE + PAUSE) * sampleRate);
  const length = order.length * period;
  const buffer = new AudioBuffer({ length, sampleRate, numberOfChannels: 2 });
  const [left, right] = [buffer.getChannelData(0), buffer.getChannelData(1)];
  order.forEach((kind, i) => {
    for (let n = 0; n < TONE * sampleRate; n += 1) {
      const time = n / sampleRate;
      const edge = Math.min(1, time / RAMP, (TONE - time) / RAMP);
      const level = LEVEL * edge * (kind === 'quiet' ? QUIETER : 1);
      const sample = level * Math.sin(2 * Math.PI * FREQUENCY * time);
      left[i * period + n] = sample;
      right[i * period + n] = kind === 'antiphase' ? -sample : sample;
    }
  });
  return buffer;
}
