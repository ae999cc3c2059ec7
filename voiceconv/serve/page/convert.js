/** The tab "Convert": a recording becomes a job, and the job a result; a reload goes on with it. */

import { createJob, deleteJob, jobState, Refused, Unreachable } from './api.js';
import { chosenClip, finish as finishRecording, startClip } from './clip.js';
import { byId, fill, say } from './dom.js';
import { forget, recall, remember } from './memory.js';
import { hideResult, showResult, startResult } from './result.js';
import { decimal, text } from './strings.js';

const POLL = 400; // ms
const RETRY = 2000; // ms, where the server cannot be reached
const JOB = 'job';
const alert = byId('convert-alert');
const status = byId('convert-status');
const progress = byId('convert-progress');
const bar = byId('progress-bar');

let offered; // models by name
let sending = null; // AbortController of the upload
let job = null; // {id, token, model, target, name}
let followed = 0; // number of the newest job that is followed

/** Connect the tab; models: the answer of /api/models. */
export function startConvert({ models, default: preferred }) {
  offered = new Map(models.map((model) => [model.name, model]));
  fill(byId('model'), models.map(({ name }) => [name, name]), preferred);
  fillTargets();
  byId('model').addEventListener('change', fillTargets);
  byId('convert-form').addEventListener('submit', submit);
  byId('cancel').addEventListener('click', () => discard('cancelled'));
  byId('delete').addEventListener('click', () => discard('deleted'));
  startClip();
  startResult();
  job = recall(JOB);
  if (job) follow(false);
}

function fillTargets() {
  const { targets, consent } = offered.get(byId('model').value);
  fill(byId('target'), targets.map((target) => [target, target]));
  byId('consent').textContent = text('consent', { said: consent ?? text('consent_unknown') });
}

async function submit(event) {
  event.preventDefault();
  if (sending) return;
  finishRecording();
  const clip = chosenClip();
  say(alert, clip ? '' : text('no_clip'));
  if (!clip) return;
  if (job) deleteQuietly(job); // nothing leads to it any more
  setJob(null);
  hideResult();
  sending = new AbortController();
  const choice = { model: byId('model').value, target: byId('target').value };
  showBusy(text('sending'), null);
  byId('cancel').focus();
  try {
    const { id, token } = await createJob(choice, clip.blob, sending.signal);
    setJob({ id, token, ...choice, name: clip.name });
  } catch (error) {
    if (error.name !== 'AbortError') fail(error.message);
    return;
  } finally {
    sending = null;
  }
  await follow(true);
}

function setJob(one) {
  job = one;
  if (job) remember(JOB, job);
  else forget(JOB);
}

/** Ask for the job's state until it has ended; focus: move the focus to the result. */
async function follow(focus) {
  followed += 1;
  const turn = followed;
  for (;;) {
    const wait = await step(turn, focus);
    if (wait === null) return;
    await new Promise((resume) => setTimeout(resume, wait));
    if (turn !== followed) return;
  }
}

/** One look at the job; gives the wait before the next, in ms, or null after the last. */
async function step(turn, focus) {
  try {
    const state = await jobState(job);
    if (turn !== followed) return null;
    say(alert, '');
    if (state.state === 'done') await finish(turn, state, focus);
    else if (state.state === 'failed') fail(state.error ?? text('failed'));
    else if (state.state === 'cancelled') reset('cancelled');
    else {
      showState(state);
      return POLL;
    }
    return null;
  } catch (error) {
    if (turn !== followed) return null;
    if (error instanceof Unreachable) {
      if (!alert.textContent) say(alert, text('unreachable_retrying'));
      return RETRY;
    }
    fail(error.message);
    if (!(error instanceof Refused)) throw error;
    return null;
  }
}

function showState({ state, progress: share, position }) {
  if (state === 'running')
    showBusy(text('running', { percent: decimal(100 * share, 0) }), share);
  else showBusy(text(position == null ? 'queued' : 'queued_at', { position }), null);
}

async function finish(turn, { expires, likeness }, focus) {
  showBusy(text('loading'), 1);
  await showResult(job, offered.get(job.model)?.sample_rate ?? 48_000, expires, likeness);
  if (turn !== followed) {
    hideResult();
    return;
  }
  showIdle();
  say(status, text('done'));
  if (focus) byId('result').focus();
}

/** Cancel what runs, or delete what is finished; said: why there is nothing more. */
function discard(said) {
  sending?.abort();
  if (job) deleteQuietly(job);
  reset(said);
}

function reset(said) {
  followed += 1;
  setJob(null);
  hideResult();
  showIdle();
  say(status, text(said));
  byId('start-conversion').focus();
}

function fail(sentence) {
  setJob(null);
  showIdle();
  say(alert, sentence);
}

/** A job that the server does not find is deleted, too; one that it keeps will expire. */
function deleteQuietly(one) {
  deleteJob(one).catch(() => {});
}

/** share: of the work that is done, null where it is unknown. */
function showBusy(words, share) {
  for (const id of ['clip', 'choice']) byId(id).disabled = true;
  progress.hidden = false;
  byId('progress-text').textContent = words;
  if (share === null) bar.removeAttribute('value');
  else bar.value = share;
}

function showIdle() {
  for (const id of ['clip', 'choice']) byId(id).disabled = false;
  if (progress.contains(document.activeElement)) byId('start-conversion').focus();
  progress.hidden = true;
}
