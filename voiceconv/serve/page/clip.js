/** The recording to convert: dropped, chosen, or recorded. */

import { byId, say } from './dom.js';
import { showLevel } from './meter.js';
import { Recorder } from './recorder.js';
import { decimal, text } from './strings.js';

const QUIET = 0.01; // peak, -40 dBFS
const button = byId('record');
const file = byId('file');
const drop = byId('drop');
const alert = byId('convert-alert');

let clip = null;
let recorder = null;
let opening = false; // the browser is asking for the microphone

/** The recording, or null: {blob, name}. */
export function chosenClip() {
  return clip;
}

function choose(blob, name, said) {
  clip = { blob, name };
  say(byId('chosen'), said);
  say(alert, '');
}

function chooseFile(one) {
  if (!one) return;
  choose(one, one.name, text('chosen', { name: one.name, size: sizeOf(one.size) }));
}

function sizeOf(bytes) {
  if (bytes < 1e6) return text('kilobytes', { size: decimal(bytes / 1e3, 0) });
  return text('megabytes', { size: decimal(bytes / 1e6) });
}

async function toggle() {
  if (recorder) finish();
  else if (!opening) await begin();
}

async function begin() {
  say(alert, '');
  opening = true;
  try {
    recorder = await Recorder.start(showChunk, finish);
  } catch (error) {
    say(alert, error.message);
    return;
  } finally {
    opening = false;
  }
  say(byId('chosen'), text('recording'));
  showRecording(true);
}

function showChunk(seconds, peak) {
  byId('record-time').textContent = text('seconds', { seconds: decimal(seconds) });
  showLevel(byId('record-level'), peak);
}

/** End the recording, if one is made, and choose it. */
export function finish() {
  if (!recorder) return;
  const { seconds, peak, isFull } = recorder;
  const blob = recorder.stop();
  recorder = null;
  showRecording(false);
  file.value = '';
  if (!seconds) {
    say(byId('chosen'), text('recorded_nothing'));
    return;
  }
  const said = isFull ? 'recorded_longest' : saidOf(peak);
  choose(blob, text('record_name'), text(said, { seconds: decimal(seconds) }));
}

function saidOf(peak) {
  if (peak >= 1) return 'recorded_clipped';
  return peak < QUIET ? 'recorded_quiet' : 'recorded';
}

function showRecording(on) {
  byId('recording').hidden = !on;
  button.textContent = text(on ? 'record_stop' : 'record');
  button.classList.toggle('recording', on);
  file.disabled = on;
}

function dragging(event, over) {
  event.preventDefault();
  drop.classList.toggle('over', over);
}

/** Connect the controls; files that are dropped beside the place do not open in the tab. */
export function startClip() {
  button.addEventListener('click', toggle);
  file.addEventListener('change', () => chooseFile(file.files[0]));
  drop.addEventListener('dragover', (event) => dragging(event, true));
  drop.addEventListener('dragleave', (event) => dragging(event, false));
  drop.addEventListener('drop', (event) => {
    dragging(event, false);
    if (!recorder && !byId('clip').disabled) chooseFile(event.dataTransfer.files[0]);
  });
  for (const type of ['dragover', 'drop'])
    addEventListener(type, (event) => event.preventDefault());
}
