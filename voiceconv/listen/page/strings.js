/** The page's texts: strings.json, the one file to translate. */

let strings = {};

/** Read the texts; the document gets their language and direction. */
export async function loadStrings() {
  const response = await fetch('strings.json', { cache: 'no-cache' });
  strings = await response.json();
  document.documentElement.lang = strings.lang;
  document.documentElement.dir = strings.dir;
}

/** What stands at a dotted key: text, a list of texts, or undefined. */
export function lookUp(key) {
  return key.split('.').reduce((known, part) => known?.[part], strings);
}

/** The text at a dotted key, its {placeholders} filled from `values`. */
export function text(key, values = {}) {
  return fill(lookUp(key) ?? key, values);
}

/** The texts of a list at a dotted key. */
export function texts(key, values = {}) {
  return (lookUp(key) ?? []).map((one) => fill(one, values));
}

/** Seconds as this language writes them. */
export function decimal(value, digits = 1) {
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString(strings.lang, format);
}

function fill(pattern, values) {
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
