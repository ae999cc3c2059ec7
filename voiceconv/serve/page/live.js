/** The tab "Live". */

import { byId, fill, say } from './dom.js';
import { forget, recall, remember } from './memory.js';
import { showLevel } from './meter.js';
import { LiveStream } from './stream.js';
import { decimal, text } from './strings.js';

const RELOADED = 'live'; // remembered when the page is left while a stream runs
const SHOWN = 500; // ms between two figures; levels are shown at each report
const status = byId('live-status');
const alert = byId('live-alert');
const mute = byId('live-mute');

let offered; // streaming models by name
let stream = null;
let shownAt = 0;

/** Connect the tab; models: the answer of /api/models. */
export function startLive({ models, live: preferred }) {
  const streaming = models.filter((model) => model.streams);
  offered = new Map(streaming.map((model) => [model.name, model]));
  byId('live-none').hidden = streaming.length > 0;
  byId('live-body').hidden = streaming.length === 0;
  if (streaming.length === 0) return;
  fill(byId('live-model'), streaming.map(({ name }) => [name, name]), preferred);
  fillChoices();
  byId('live-model').addEventListener('change', fillChoices);
  byId('live-form').addEventListener('submit', start);
  byId('live-stop').addEventListener('click', () => stream?.stop());
  mute.addEventListener('click', () => showMuted(mute.getAttribute('aria-pressed') !== 'true'));
  addEventListener('pagehide', leave);
  if (recall(RELOADED)) say(status, text('live_reloaded'));
  forget(RELOADED);
}

function fillChoices() {
  const { targets, look_aheads: lookAheads, consent } = offered.get(byId('live-model').value);
  fill(byId('live-target'), targets.map((target) => [target, target]));
  byId('live-consent').textContent = text('consent', { said: consent ?? text('consent_unknown') });
  const options = lookAheads.map((value) => [String(value), text('milliseconds', { value })]);
  fill(byId('look-ahead'), [['', text('look_ahead_default')], ...options]);
}

function start(event) {
  event.preventDefault();
  if (stream) return;
  say(alert, '');
  say(status, text('live_starting'));
  const model = byId('live-model').value;
  const choice = {
    model,
    target: byId('live-target').value,
    look_ahead: byId('look-ahead').value,
  };
  const own = new LiveStream(choice, offered.get(model).sample_rate, {
    onReady: () => showMuted(false),
    onFigures: showFigures,
    onEnd: ended,
  });
  stream = own;
  showRunning(true);
  byId('live-stop').focus();
  own.start();
}

/** sentence: why it ended, null where it was stopped here. */
function ended(sentence) {
  stream = null;
  showRunning(false);
  for (const id of ['input-level', 'output-level']) showLevel(byId(id), 0);
  say(status, text('live_stopped'));
  say(alert, sentence ?? '');
  byId('live-start').focus();
}

function leave() {
  if (!stream) return;
  stream.stop();
  remember(RELOADED, true);
}

function showRunning(on) {
  for (const id of ['live-model', 'live-target', 'look-ahead', 'live-start'])
    byId(id).disabled = on;
  for (const id of ['live-mute', 'live-stop']) byId(id).disabled = !on;
  mute.setAttribute('aria-pressed', false);
  byId('live-tab').classList.toggle('running', on);
}

function showMuted(muted) {
  mute.setAttribute('aria-pressed', muted);
  stream.muted = muted;
  say(status, text(muted ? 'live_muted' : 'live_running'));
}

function showFigures(figures) {
  showLevel(byId('input-level'), figures.input);
  showLevel(byId('output-level'), figures.output);
  const now = performance.now();
  if (now - shownAt < SHOWN) return;
  shownAt = now;
  const { algorithmic, measured, underruns, dropouts, load, seconds } = figures;
  show('algorithmic', text('milliseconds', { value: ms(algorithmic) }));
  show('underruns', underruns);
  show('dropouts', dropouts);
  show('seconds', text('seconds', { seconds: decimal(seconds) }));
  if (load !== null) show('load', text('percent', { value: decimal(100 * load, 0) }));
  if (measured !== undefined) showLatency(figures);
}

function showLatency({ algorithmic, measured, buffered, device }) {
  show('measured', text('milliseconds', { value: ms(measured) }));
  const rest = Math.max(0, measured - algorithmic - buffered - device);
  byId('latency-parts').textContent = text('latency_parts', {
    algorithm: ms(algorithmic),
    buffer: ms(buffered),
    device: ms(device),
    rest: ms(rest),
  });
}

function show(name, value) {
  document.querySelector(`[data-figure=${name}]`).textContent = value;
}

function ms(seconds) {
  return decimal(1000 * seconds, 0);
}
