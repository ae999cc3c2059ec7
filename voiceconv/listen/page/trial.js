/** A trial's page: recordings to be heard and an answer to be given before it goes on. */

import { Desk } from './desk.js';
import { ask, heading, make, Refused, sendForm } from './dom.js';
import { bind, keyList } from './keys.js';
import { METHODS } from './methods.js';
import { text } from './strings.js';

const LONGEST = 7 * 86400; // seconds on a trial: more is taken nowhere

/**
 * Show a trial until its answer is kept.
 * @param {import('./methods.js').Trial} trial
 * @param {object} test  test.json
 * @param {import('./recordings.js').Recordings} recordings
 * @param {string} lead  a word before the question: that it is practice, that practice is over
 * @param {(answer: import('./answers.js').Answer) => Promise<void>} keep
 */
export async function runTrial(trial, test, recordings, lead, keep) {
  const method = METHODS[trial.method];
  const sounds = method.sounds(trial);
  const buffers = await recordings.get(sounds.map(({ id }) => id));
  const desk = new Desk(recordings.context, sounds, buffers, method.playing, test.min_heard);
  const sheet = method.sheet(trial, desk);
  const question = test.question ?? text(`methods.${trial.method}.question`);
  const began = performance.now();
  desk.open(sheet.refresh);
  bind({ ...desk.keys, ...sheet.keys, Enter: sendForm });
  try {
    const parts = [
      heading(question, lead),
      make('div.trial', { 'data-trial': trial.id }, sheet.parts),
      remark(),
    ];
    await ask('trial', parts, text('trial.next'), send, [keyList(desk.help(sheet))]);
  } finally {
    bind({});
    desk.close();
  }

  async function send(form) {
    desk.refresh();
    const unheard = desk.unheard.map(({ name }) => name).join(', ');
    if (unheard) throw new Refused(text('trial.unheard', { sounds: unheard }));
    const values = sheet.values();
    if (!values) throw new Refused(text(`methods.${trial.method}.missing`));
    const seconds = Math.min(Math.round(performance.now() - began) / 1000, LONGEST);
    const comment = form.querySelector('textarea').value.trim();
    await keep({ trial: trial.id, values, heard: desk.heard, seconds, comment });
  }
}

/** A comment, folded away. */
function remark() {
  return make(
    'details.remark',
    {},
    make('summary', {}, text('trial.comment')),
    make('textarea', { 'aria-label': text('trial.comment_label'), rows: 3, maxlength: 1000 }),
  );
}
