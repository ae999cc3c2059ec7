/** The pages around the trials. Each gives, once the listener has answered, what was answered. */

import { Desk } from './desk.js';
import { ask, chosen, heading, make, paragraphs, radios, Refused, sendForm, show } from './dom.js';
import { drawRound, makeTones } from './headphones.js';
import { bind, keyList } from './keys.js';
import { lookUp, text, texts } from './strings.js';

const ROUNDS = 3; // of the headphone check

/** Agree to take part; `begin` gets the invitation, where one is asked for. */
export function consent(test, nTrials, { asksInvitation, forgets }, begin) {
  const code = make('input', { name: 'invitation', autocomplete: 'off', maxlength: 64 });
  const parts = [
    heading(text('consent.title')),
    make('p.opening', {}, text('consent.opening', { trials: nTrials })),
    make(
      'ul',
      {},
      texts('consent.points').map((point) => make('li', {}, point)),
    ),
    forgets && make('p.warning', {}, text('consent.forgets')),
    asksInvitation && make('label.field', {}, text('consent.invitation'), code),
    make('p', {}, text('consent.agree')),
  ];
  return ask('consent', parts.filter(Boolean), text('consent.button'), () => {
    if (!asksInvitation) return begin();
    if (!code.value.trim()) throw new Refused(text('consent.no_invitation'));
    return begin(code.value.trim());
  });
}

/** Set the volume by the test's level stimulus, and say what one listens with. */
export async function setLevel(test, recordings) {
  const buffers = await recordings.get([test.level]);
  const sample = { id: test.level, name: text('level.sample'), key: 'p' };
  const desk = new Desk(recordings.context, [sample], buffers, { loops: true }, 1);
  const parts = [
    heading(text('level.title')),
    ...paragraphs(texts('level.text')),
    make('div.sounds', {}, desk.button(test.level)),
    radios('device', text('level.device'), lookUp('level.devices')),
  ];
  const send = (form) => {
    const device = chosen(form, 'device');
    if (desk.unheard.length) throw new Refused(text('level.unheard'));
    if (!device) throw new Refused(text('level.no_device'));
    return device;
  };
  return atDesk(desk, () => ask('level', parts, text('next'), send, [keyList(desk.help())]));
}

/** The headphone check: [rounds that were right, rounds], or null where it was left out. */
export async function checkHeadphones(context) {
  let nRight = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const right = await headphoneRound(context, round);
    if (right === null) return null;
    nRight += Number(right);
  }
  return [nRight, ROUNDS];
}

/** Whether the quietest tone was found; null: the listener skips the check. */
function headphoneRound(context, round) {
  const order = drawRound();
  const buffers = new Map([['tones', makeTones(order, context.sampleRate)]]);
  const tones = { id: 'tones', name: text('headphones.tones'), key: 'p' };
  const desk = new Desk(context, [tones], buffers, {});
  const parts = [
    heading(text('headphones.title'), text('headphones.round', { round, rounds: ROUNDS })),
    ...paragraphs(texts('headphones.text')),
    make('div.sounds', {}, desk.button('tones')),
    radios('quietest', text('headphones.question'), lookUp('headphones.answers')),
  ];
  const skip = make('button.plain', { type: 'button' }, text('headphones.skip'));
  const skipped = new Promise((resolve) => skip.addEventListener('click', () => resolve(null)));
  const send = (form) => {
    const answer = chosen(form, 'quietest');
    if (!answer) throw new Refused(text('headphones.missing'));
    return order[Number(answer) - 1] === 'quiet';
  };
  const below = [skip, keyList(desk.help())];
  const page = () => Promise.race([skipped, ask('headphones', parts, text('next'), send, below)]);
  return atDesk(desk, page);
}

/** What is to be done, and how attention is checked; `begin` keeps what was set up. */
export function instruct(test, hasPractice, begin) {
  const key = `methods.${test.method}`;
  const question = test.question ?? text(`${key}.question`);
  const parts = [
    heading(text('instructions.title')),
    ...paragraphs(texts(`${key}.instructions`, { question })),
    ...paragraphs(texts('instructions.all')),
    ...(test.checks ? paragraphs(texts(`${key}.attention`)) : []),
    hasPractice && make('p', {}, text('instructions.practice')),
  ];
  const button = text(hasPractice ? 'instructions.begin_practice' : 'instructions.begin');
  return ask('instructions', parts.filter(Boolean), button, begin);
}

/** A last word, and the end. */
export function comment(finish) {
  const box = make('textarea', { rows: 6, maxlength: 1000, 'aria-label': text('comment.label') });
  const parts = [heading(text('comment.title')), ...paragraphs(texts('comment.text')), box];
  return ask('comment', parts, text('comment.button'), () => finish(box.value.trim()));
}

/**
 * Thank you: a code to be handed in, a link to be followed, or a file to be sent. Another person, for
 * whom answers are forgotten by `restart`, comes only once the file was saved, and so does the link.
 */
export function thank({ code, url, file }, restart) {
  const again = { type: 'button', onclick: restart };
  const link = { href: url, rel: 'noreferrer' };
  const then = make(
    'div.then',
    { hidden: Boolean(file) },
    code && [make('p', {}, text('thanks.code')), make('output.code', { id: 'code' }, code)],
    url && [make('p', {}, text('thanks.link')), make('a.next', link, text('thanks.follow'))],
    restart && make('p.again', {}, make('button.plain', again, text('thanks.again'))),
  );
  const parts = [heading(text('thanks.title')), ...paragraphs(texts('thanks.text'))];
  if (file) {
    const onclick = () => {
      then.hidden = false;
    };
    const saved = { href: URL.createObjectURL(file), download: file.name, onclick };
    parts.push(make('p', {}, text('thanks.file')), make('a.next', saved, text('thanks.download')));
  }
  show('thanks', [...parts, then]);
}

/** The server doesn't know this listener any more. */
export function lost(restart) {
  dead('lost', restart);
}

/** The test was opened in another window; `takeOver` brings it back. */
export function elsewhere(takeOver) {
  bind({});
  dead('elsewhere', takeOver);
}

/** A page on which the test does not go on, and a button that begins anew. */
function dead(name, onclick) {
  const button = make('button.next', { type: 'button', onclick }, text(`${name}.button`));
  const actions = make('div.actions', {}, button);
  show(name, [heading(text(`${name}.title`)), ...paragraphs(texts(`${name}.text`)), actions]);
}

/** Something is broken, which a listener cannot mend. */
export function broken(message) {
  show('broken', [heading(text('broken.title')), ...paragraphs(texts('broken.text', { message }))]);
}

/** A page with something to play. */
async function atDesk(desk, showPage) {
  desk.open();
  bind({ ...desk.keys, Enter: sendForm });
  try {
    return await showPage();
  } finally {
    bind({});
    desk.close();
  }
}
