/** Elements of the page, and what is shown in them. */

const said = new WeakMap(); // element -> the frame that will show its sentence

export function byId(id) {
  return document.getElementById(id);
}

/** Put options into a select, [value, label] each; keeps the chosen value if it is still there. */
export function fill(select, options, preferred = null) {
  const wanted = [select.value, preferred].find((value) => options.some(([one]) => one === value));
  select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  if (wanted != null) select.value = wanted;
}

/** Show a sentence in an element with a live role, also if it is the same as before. */
export function say(element, sentence) {
  cancelAnimationFrame(said.get(element));
  element.textContent = '';
  if (!sentence) return;
  said.set(element, requestAnimationFrame(() => (element.textContent = sentence)));
}
