/** Single-key shortcuts, which stand back where an element has a use of its own for the key. */

import { clearRefusal, make } from './dom.js';
import { recall, remember } from './memory.js';
import { text } from './strings.js';

const TYPING =
  'textarea, select, [contenteditable], input:not([type=radio], [type=range], [type=checkbox])';
const PRESSED_BY_SPACE =
  'button, summary, a, input[type=checkbox], input[type=radio]:not(:checked)';
const PRESSED_BY_ENTER = 'button, summary, a, input'; // of an input: sends its form
const SWITCH = 'voiceconv/shortcuts';

let bindings = {};

/** Bind keys ("a", "1", " ", "Enter") to actions; all others are let go. */
export function bind(actions) {
  bindings = actions;
}

/**
 * The shortcuts, shown, and a switch: WCAG 2.2, 2.1.4 asks that they can be turned off.
 * @param {[string[], string][]} help  keys and what they do
 */
export function keyList(help) {
  const box = make('input', { type: 'checkbox', onchange: () => remember(SWITCH, box.checked) });
  box.checked = areOn();
  const rows = help.map(([keys, words]) =>
    make(
      'div',
      {},
      make(
        'dt',
        {},
        keys.map((key) => make('kbd', {}, key)),
      ),
      make('dd', {}, words),
    ),
  );
  return make(
    'section.keys',
    { 'aria-label': text('keys.title') },
    make('dl', {}, rows),
    make('label.switch', {}, box, text('keys.on')),
  );
}

function areOn() {
  return recall(SWITCH) ?? true;
}

/** The key by its sign or, on another keyboard layout, by its place. */
function actionOf({ key, code }) {
  const place = code.replace(/^(Key|Digit|Numpad)/, '').toLowerCase();
  return bindings[key] ?? bindings[key.toLowerCase()] ?? bindings[place];
}

function isChord(event) {
  const typesSign = event.getModifierState('AltGraph'); // "[" on many keyboards
  return event.metaKey || ((event.ctrlKey || event.altKey) && !typesSign);
}

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.isComposing || event.repeat || isChord(event)) return;
  const { target, key } = event;
  if (!areOn() || target.closest(TYPING)) return;
  if (key === ' ' && target.closest(PRESSED_BY_SPACE)) return;
  if (key === 'Enter' && target.closest(PRESSED_BY_ENTER)) return;
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  clearRefusal();
  action();
});
