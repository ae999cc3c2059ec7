/** WAV files. */

const HEADER = 44; // bytes

/** 16-bit mono WAV of float chunks; samples beyond full scale are clipped. */
export function toWav(chunks, sampleRate) {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const view = new DataView(new ArrayBuffer(HEADER + 2 * length));
  const word = (at, letters) =>
    [...letters].forEach((one, i) => view.setUint8(at + i, one.charCodeAt()));
  word(0, 'RIFF');
  view.setUint32(4, HEADER - 8 + 2 * length, true);
  word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true); // bytes of the format
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 2 * sampleRate, true); // bytes per second
  view.setUint16(32, 2, true); // bytes per frame
  view.setUint16(34, 16, true); // bits per sample
  word(36, 'data');
  view.setUint32(40, 2 * length, true);
  let at = HEADER;
  for (const chunk of chunks)
    for (const sample of chunk) {
      view.setInt16(at, Math.max(-32768, Math.min(32767, Math.round(32768 * sample))), true);
      at += 2;
    }
  return new Blob([view], { type: 'audio/wav' });
}
