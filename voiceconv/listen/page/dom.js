/** Elements, pages and notices. Texts go in as text, never as HTML. */

import { text } from './strings.js';

const main = document.querySelector('main');
const footer = document.querySelector('footer');
const notice = document.querySelector('#notice');
let telling; // the timer of what will be shown

/** Why the page doesn't go on, in a sentence for the listener. */
export class Refused extends Error {}

/**
 * An element.
 * @param {string} tag  "div", or with classes, "div.card.wide"
 * @param {Object<string, *>} attributes  onevent: a listener; true and false: there or not
 */
export function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return element;
}

/** A page's heading, which gets the focus when it is shown; then `lead`, a word before it, is read. */
export function heading(words, lead) {
  const described = lead ? 'progress-text lead' : null;
  return [
    lead && make('p.lead', { id: 'lead' }, lead),
    make('h1', { tabindex: -1, 'aria-describedby': described }, words),
  ];
}

/** Paragraphs. */
export function paragraphs(lines) {
  return lines.map((line) => make('p', {}, line));
}

/** A group of radio buttons; options: value -> [label, remark]. */
export function radios(name, legend, options) {
  const buttons = Object.entries(options).map(([value, words]) => radio(name, value, ...words));
  return make('fieldset.options', {}, make('legend', {}, legend), buttons);
}

/** A radio button in its label, with a remark or the key that chooses it. */
export function radio(name, value, label, remark, key) {
  return make(
    'label.option',
    {},
    make('input', { type: 'radio', name, value }),
    key && make('kbd', { 'aria-hidden': 'true' }, key),
    make('span.label', {}, label, remark && make('span.remark', {}, remark)),
  );
}

/** Choose a radio button by its key: in focus it is read out, and arrows go on from it. */
export function choose(form, name, value) {
  const button = form.querySelector(`input[name=${name}][value="${value}"]`);
  button.checked = true;
  button.focus();
}

/** The value of a group's checked radio button, or undefined. */
export function chosen(form, name) {
  return form.querySelector(`input[name=${name}]:checked`)?.value;
}

/** Put a page in place of the one before, its heading in focus; `below` comes after notices. */
export function show(name, parts, below = []) {
  tell('');
  main.dataset.page = name;
  main.replaceChildren(...parts.flat().filter(Boolean));
  footer.replaceChildren(...below);
  const title = main.querySelector('h1');
  document.title = title.textContent;
  window.scrollTo(0, 0);
  title.focus({ preventScroll: true });
}

/**
 * Show a page that is a form, until `send` has taken it; gives what `send` gave.
 * What `send` throws as Refused is told, and the listener may try again.
 * @param {string} name
 * @param {HTMLElement[]} parts
 * @param {string} button  what the button says that sends it
 * @param {(form: HTMLFormElement) => Promise<*>} send
 * @param {HTMLElement[]} below  what stands below notices
 */
export function ask(name, parts, button, send, below = []) {
  return new Promise((resolve, reject) => {
    const next = make('div.actions', {}, make('button.next', { type: 'submit' }, button));
    const form = make('form', { novalidate: true, onsubmit: submit }, parts, next);
    show(name, [form], below);

    async function submit(event) {
      event.preventDefault();
      if (form.ariaBusy === 'true') return;
      form.ariaBusy = 'true';
      try {
        resolve(await send(form));
      } catch (error) {
        form.ariaBusy = 'false';
        if (error instanceof Refused) tell(error.message, 'refusal');
        else reject(error);
      } // what was taken isn't sent again, however long the next page takes
    }
  });
}

/** Show a sentence and have it spoken, also if it is the same as before; '' takes it away. */
export function tell(sentence, kind = '') {
  clearTimeout(telling);
  notice.className = kind;
  notice.replaceChildren();
  if (!sentence) return;
  telling = setTimeout(() => {
    notice.append(make('p', {}, sentence));
    notice.scrollIntoView({ block: 'nearest' });
  }, 50);
}

/** Send the page's form. */
export function sendForm() {
  main.querySelector('form').requestSubmit();
}

/** Take a refusal back: the listener is doing something about it. */
export function clearRefusal() {
  if (notice.className === 'refusal') tell('');
}

for (const action of ['click', 'input']) main.addEventListener(action, clearRefusal);

/** How far the listener is: of `total` trials `done` are answered; hidden without a total. */
export function progress(words, done, total) {
  const box = document.querySelector('#progress');
  box.hidden = !total;
  box.querySelector('#progress-text').textContent = words;
  box.querySelector('progress').value = total ? done / total : 0;
}

/** The name of the test, above every page. */
export function nameTest(title) {
  document.querySelector('#title').textContent = title || text('title');
}
