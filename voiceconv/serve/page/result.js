/** The result of a job: both recordings to hear and to see. */

import { jobAnalysis, jobFile } from './api.js';
import { byId } from './dom.js';
import { decode, medianPitch, Picture } from './pictures.js';
import { Player } from './player.js';
import { decimal, text } from './strings.js';

const NAMES = ['source', 'result'];
const section = byId('result');
const scrubber = byId('scrubber');
const download = byId('download');
const buttons = new Map(
  NAMES.map((name) => [name, section.querySelector(`[data-heard=${name}]`)]),
);
const figures = new Map(
  NAMES.map((name) => [name, section.querySelector(`[data-picture=${name}]`)]),
);

let shown; // {player, pictures, address}

/** Fetch and show the result of a finished job; sampleRate: of its model; likeness: or null. */
export async function showResult(job, sampleRate, expires, likeness) {
  const [source, result, analysis] = await Promise.all([
    jobFile(job, 'source.wav'),
    jobFile(job, 'result.wav'),
    jobAnalysis(job),
  ]);
  const address = URL.createObjectURL(new Blob([result], { type: 'audio/wav' }));
  const buffers = {
    source: await toBuffer(source, sampleRate),
    result: await toBuffer(result, sampleRate),
  };
  hideResult();
  section.hidden = false;
  const player = new Player(buffers, 'result', update);
  const axes = { period: analysis.frame_period, bands: analysis.bands, sampleRate };
  axes.seconds = player.duration;
  const pictures = NAMES.map((name) => picture(name, analysis[name], axes));
  shown = { player, pictures, address };
  byId('result-of').textContent = text('result_of', job);
  download.href = address;
  const name = job.name.replace(/\.[^.]*$/, '');
  download.download = text('download_name', { name, target: job.target });
  byId('kept').textContent = expires
    ? text('kept_until', { time: dateAndTime(expires) })
    : '';
  const unlike = byId('unlike');
  unlike.hidden = !likeness?.is_out_of_domain;
  unlike.textContent = unlike.hidden ? '' : text('unlike', likeness);
  scrubber.max = player.duration;
  update();
}

export function hideResult() {
  section.hidden = true;
  if (!shown) return;
  shown.player.close();
  for (const one of shown.pictures) one.close();
  URL.revokeObjectURL(shown.address);
  shown = undefined;
}

/** Of seconds since 1970. */
function dateAndTime(seconds) {
  const style = { dateStyle: 'medium', timeStyle: 'short' };
  return new Date(1000 * seconds).toLocaleString(undefined, style);
}

/** Decode without resampling. */
function toBuffer(bytes, sampleRate) {
  return new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytes.slice(0));
}

function picture(name, part, axes) {
  const canvas = figures.get(name).querySelector('canvas');
  const drawn = decode(part);
  const pitch = medianPitch(drawn.f0);
  canvas.setAttribute(
    'aria-label',
    text(pitch ? 'picture' : 'picture_unvoiced', {
      which: text(`picture_${name}`),
      seconds: decimal(axes.seconds),
      pitch: decimal(pitch || 0, 0),
    }),
  );
  return new Picture(canvas, drawn, axes);
}

/** Show what the player does; while it plays, in every frame. */
function update() {
  if (!shown) return;
  const { player } = shown;
  byId('play').textContent = text(player.playing ? 'pause' : 'play');
  for (const name of NAMES) {
    buttons.get(name).setAttribute('aria-pressed', name === player.heard);
    figures.get(name).classList.toggle('heard', name === player.heard);
  }
  showPosition();
  if (player.playing) requestAnimationFrame(follow);
}

function follow() {
  if (!shown?.player.playing) return;
  showPosition();
  requestAnimationFrame(follow);
}

function showPosition() {
  const { position, duration } = shown.player;
  const words = { at: decimal(position), end: decimal(duration) };
  byId('position').textContent = text('position', words);
  scrubber.value = position;
  scrubber.setAttribute('aria-valuetext', text('position_spoken', words));
  section.style.setProperty('--at', position / duration);
}

function toggle() {
  const { player } = shown;
  if (player.playing) player.pause();
  else player.play();
}

function switchOver() {
  const { player } = shown;
  player.switchTo(NAMES.find((name) => name !== player.heard));
}

/** Connect the controls, once. */
export function startResult() {
  byId('play').addEventListener('click', toggle);
  for (const [name, button] of buttons)
    button.addEventListener('click', () => shown.player.switchTo(name));
  scrubber.addEventListener('input', () => shown.player.seek(Number(scrubber.value)));
  section.addEventListener('keydown', (event) => {
    if (event.key.toLowerCase() !== 's' || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    switchOver();
  });
  for (const figure of figures.values()) {
    const plot = figure.querySelector('.plot');
    plot.addEventListener('pointerdown', ({ clientX }) => seekTo(plot, clientX));
  }
}

/** Seek to where a picture was pressed. */
function seekTo(plot, clientX) {
  const style = getComputedStyle(plot);
  const [left, right] = ['--left', '--right'].map((name) =>
    parseFloat(style.getPropertyValue(name)),
  );
  const box = plot.getBoundingClientRect();
  const share = (clientX - box.left - left) / (box.width - left - right);
  shown.player.seek(share * shown.player.duration);
}
