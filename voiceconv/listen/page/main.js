/** From consent to thank you; a reload goes on where the listener was. */

import { Elsewhere, isPersonal, openAnswers, Stranger } from './answers.js';
import { nameTest, progress } from './dom.js';
import * as pages from './pages.js';
import { Recordings } from './recordings.js';
import { persist, request } from './requests.js';
import { loadStrings, text } from './strings.js';
import { runTrial } from './trial.js';

await loadStrings();
let answers;
let recordings;
try {
  await run();
} catch (error) {
  if (error instanceof Stranger) pages.lost(restart);
  else if (error instanceof Elsewhere) {
    recordings?.context.close(); // what plays
    pages.elsewhere(() => location.reload());
  } else {
    pages.broken(error.message);
    throw error;
  }
}

async function run() {
  const test = await (await persist(() => request('test.json', { cache: 'no-cache' }))).json();
  nameTest(test.title);
  answers = await openAnswers(test);
  await Promise.race([answers.taken, take(test)]);
}

/** The test itself. */
async function take(test) {
  if (answers.stranger) throw new Stranger();
  if (answers.list == null) {
    const begin = (invitation) => answers.begin(invitation);
    await pages.consent(test, test.lists[0].length, answers, begin);
  }
  recordings = new Recordings(new AudioContext()); // after a gesture, for who just began
  const turns = test.lists[answers.list].map(([id, shown]) => {
    return { id, shown, method: test.method, ...test.trials[id] };
  });
  if (!answers.ready) await prepare(test, turns);
  await runTrials(test, turns);
  if (!answers.finished) await pages.comment((comment) => answers.finish(comment));
  pages.thank(answers.farewell, isPersonal ? null : restart);
}

/** Volume, headphones, instructions. */
async function prepare(test, turns) {
  recordings.expect([test.level, ...stimuli(turns[0])]);
  const device = await pages.setLevel(test, recordings);
  const check = device === 'loudspeakers' ? null : await pages.checkHeadphones(recordings.context);
  const hasPractice = turns.some(({ practice }) => practice);
  const setup = { device, headphone_check: check };
  await pages.instruct(test, hasPractice, () => answers.prepare(setup));
}

/** What hasn't been answered yet. */
async function runTrials(test, turns) {
  const open = turns.filter(({ id }) => !answers.answered.has(id));
  for (const [i, turn] of open.entries()) {
    const done = turns.length - open.length + i;
    recordings.expect([turn, open[i + 1]].filter(Boolean).flatMap(stimuli));
    progress(text('progress', { trial: done + 1, trials: turns.length }), done, turns.length);
    const lead = leadOf(turn, turns[turns.indexOf(turn) - 1]);
    await runTrial(turn, test, recordings, lead, (answer) => answers.answer(answer));
  }
  progress('', 0, 0);
}

/** That it is practice, that practice is over, or nothing. */
function leadOf(turn, before) {
  if (turn.practice) return text('trial.practice');
  return before?.practice ? text('trial.practice_over') : '';
}

function stimuli({ shown, reference, x }) {
  return [...shown, reference, x].filter(Boolean);
}

function restart() {
  answers.restart();
  location.reload();
}
