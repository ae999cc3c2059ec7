/** The mel scale of Slaney's Auditory Toolbox, on which the server's bands are equally spaced. */

const LINEAR = 200 / 3; // Hz per mel up to 1 kHz
const KNEE = 1000 / LINEAR; // mel
const RATIO = Math.log(6.4) / 27; // per mel above it

function toMel(hertz) {
  return hertz < 1000 ? hertz / LINEAR : KNEE + Math.log(hertz / 1000) / RATIO;
}

/** Band, as a fraction, whose centre is a frequency; bands: from 0 Hz to half the sample rate. */
export function bandOf(hertz, bands, sampleRate) {
  return (toMel(hertz) / toMel(sampleRate / 2)) * (bands + 1) - 1;
}
