/** What each method asks of a trial, and how the listener answers it. */

import { choose, chosen, make, radio } from './dom.js';
import { lookUp, text, texts } from './strings.js';
import { Waveform } from './waveform.js';

/**
 * @typedef {object} Trial  one listener's turn
 * @property {string} id
 * @property {string} method
 * @property {string[]} shown  stimuli to be judged, in the order of the page
 * @property {?string} reference
 * @property {?string} x
 * @property {boolean} practice
 *
 * @typedef {object} Sound  a recording that the listener can play
 * @property {string} id
 * @property {string} name
 * @property {?string} key  its shortcut
 *
 * @typedef {object} Sheet  where the answer is given
 * @property {HTMLElement[]} parts
 * @property {() => ?Object<string, number>} values  null: the answer isn't complete
 * @property {Object<string, () => void>} keys  shortcuts of its own
 * @property {[string[], string][]} help  all shortcuts of the page: keys and what they do
 * @property {() => void} [refresh]  called a few times a second
 *
 * @typedef {object} Method
 * @property {(trial: Trial) => Sound[]} sounds
 * @property {{loops?: boolean, together?: boolean}} playing  of Player.load
 * @property {(trial: Trial, desk: import('./desk.js').Desk) => Sheet} sheet
 */

/** @type {Object<string, Method>} */
export const METHODS = {
  mos: {
    sounds: (trial) => [sound(trial.shown[0], 'recording', 'a')],
    playing: { together: false },
    sheet: ratings,
  },
  similarity: {
    sounds: (trial) => [
      sound(trial.reference, 'reference', 'r'),
      sound(trial.shown[0], 'recording', 'a'),
    ],
    playing: { together: false },
    sheet: ratings,
  },
  ab: {
    sounds: (trial) => [...reference(trial), ...pair(trial)],
    playing: {},
    sheet: choice,
  },
  abx: {
    sounds: (trial) => [...reference(trial), sound(trial.x, 'x', 'x'), ...pair(trial)],
    playing: {},
    sheet: choice,
  },
  mushra: {
    sounds: (trial) => [...reference(trial), ...trial.shown.map(numbered)],
    playing: { loops: true },
    sheet: sliders,
  },
};

function sound(id, name, key) {
  return { id, name: text(`sounds.${name}`), key };
}

function reference(trial) {
  return trial.reference ? [sound(trial.reference, 'reference', 'r')] : [];
}

function pair(trial) {
  return [sound(trial.shown[0], 'a', 'a'), sound(trial.shown[1], 'b', 'b')];
}

function numbered(id, i) {
  const number = String(i + 1);
  return { id, name: text('sounds.numbered', { number }), key: i < 9 ? number : null };
}

/** A scale of categories: mos and similarity. */
function ratings(trial, desk) {
  const [stimulus] = trial.shown;
  const key = `methods.${trial.method}`;
  const scale = Object.entries(lookUp(`${key}.scale`)).sort(([a], [b]) => b - a); // best first
  const group = make(
    'fieldset.scale',
    {},
    make('legend', {}, text(`${key}.legend`)),
    scale.map(([score, words]) => radio('score', score, words, null, score)),
  );
  const scores = scale.map(([score]) => score).reverse();
  return {
    parts: [playAll(desk), group],
    values: () => {
      const score = chosen(group, 'score');
      return score ? { [stimulus]: Number(score) } : null;
    },
    keys: Object.fromEntries(scores.map((score) => [score, () => choose(group, 'score', score)])),
    help: [[scores, text('keys.rate')]],
  };
}

/** One of two: ab and abx. */
function choice(trial, desk) {
  const key = `methods.${trial.method}`;
  const candidates = trial.shown.map((id, i) => {
    const words = text(`${key}.choose.${'ab'[i]}`);
    return make('div.candidate', {}, desk.button(id), radio('choice', id, words, null, `${i + 1}`));
  });
  const group = make('fieldset.pair', {}, make('legend', {}, text(`${key}.legend`)), candidates);
  const beside = [trial.reference, trial.x].filter(Boolean);
  const choices = trial.shown.map((id, i) => [`${i + 1}`, () => choose(group, 'choice', id)]);
  return {
    parts: [beside.length ? playAll(desk, beside) : null, group],
    values: () => {
      const best = chosen(group, 'choice');
      return best ? Object.fromEntries(trial.shown.map((id) => [id, Number(id === best)])) : null;
    },
    keys: Object.fromEntries(choices),
    help: [[['1', '2'], text('keys.choose')]],
  };
}

function playAll(desk, ids = desk.sounds.map(({ id }) => id)) {
  return make(
    'div.sounds',
    {},
    ids.map((id) => desk.button(id)),
  );
}

/** Sliders from 0 to 100 beside a reference that is shown: mushra, BS.1534-3, 5.4. */
function sliders(trial, desk) {
  const loop = looping(desk.player, trial.reference ?? trial.shown[0]);
  const columns = trial.shown.map((id, i) => slider(id, i, desk));
  const select = ({ id, input }) => {
    desk.listen(id);
    input.focus();
  };
  const numbers = columns.map((column, i) => [`${i + 1}`, () => select(column)]).slice(0, 9);
  const [first, last] = [numbers.at(0)[0], numbers.at(-1)[0]];
  return {
    parts: [
      make('div.model', {}, trial.reference && desk.button(trial.reference), loop.element),
      make(
        'div.board',
        {},
        bands(),
        columns.map(({ element }) => element),
      ),
    ],
    values: () =>
      columns.every(({ input }) => 'touched' in input.dataset)
        ? Object.fromEntries(columns.map(({ id, input }) => [id, Number(input.value)]))
        : null,
    keys: { ...loop.keys, ...Object.fromEntries(numbers) },
    help: [
      [[first, '–', last], text('keys.slider')],
      [['←', '→'], text('keys.move')],
      [['[', ']'], text('keys.loop')],
      [['\\'], text('keys.whole')],
    ],
    refresh: loop.refresh,
  };
}

/** The reference's waveform, and the part of it that is repeated. */
function looping(player, id) {
  const wave = new Waveform(player.buffers.get(id), player.seconds, setLoop);
  const whole = () => setLoop(0, player.seconds);
  const button = make('button.plain', { type: 'button', onclick: whole }, text('loop.whole'));
  return {
    element: make('section.loop', { 'aria-label': text('loop.title') }, wave.element, button),
    keys: {
      '[': () => setLoop(player.position, player.region[1]),
      ']': () => player.current && setLoop(player.region[0], player.position),
      '\\': whole,
    },
    refresh: () => wave.showPosition(player.position),
  };

  function setLoop(start, end) {
    player.setRegion(start, end);
    wave.showRegion(...player.region);
  }
}

/** The five intervals of the scale, best first. */
function bands() {
  return make(
    'div.bands',
    { 'aria-hidden': 'true' },
    texts('methods.mushra.bands').map((word) => make('span', {}, word)),
  );
}

/** One recording's slider; who moves it hears its recording, if any plays. */
function slider(id, i, desk) {
  const output = make('output', { 'aria-hidden': 'true' }, '–');
  const input = make('input.rating', {
    type: 'range',
    min: 0,
    max: 100,
    value: 50,
    'aria-label': text('methods.mushra.slider', { number: i + 1 }),
    'aria-valuetext': text('methods.mushra.untouched'),
    oninput: touch,
    onpointerup: touch, // also where it stays at its first value
    onkeydown: ({ key }) => /^(Arrow|Page|Home|End)/.test(key) && touch(),
  });
  return { id, input, element: make('div.column', {}, desk.button(id), input, output) };

  function touch() {
    const value = Number(input.value);
    const band = lookUp('methods.mushra.bands')[Math.max(0, 4 - Math.floor(value / 20))];
    input.dataset.touched = '';
    output.textContent = value;
    input.setAttribute('aria-valuetext', text('methods.mushra.value', { value, band }));
    if (desk.player.current && desk.player.current !== id) desk.listen(id);
  }
}
