/** The listener's desk: a button for each recording, one player, and account of what was heard. */

import { make } from './dom.js';
import { Player } from './player.js';
import { text } from './strings.js';

const NEARLY_ALL = 0.9; // of a recording: so much counts as having heard it
const PERIOD = 50; // ms between two looks at the player

export class Desk {
  #last; // the recording that was played last

  /**
   * @param {BaseAudioContext} context
   * @param {import('./methods.js').Sound[]} sounds
   * @param {Map<string, AudioBuffer>} buffers
   * @param {object} playing  of Player.load
   * @param {?number} enough  seconds of each that must be heard; else nearly all of it
   */
  constructor(context, sounds, buffers, playing, enough = null) {
    this.player = new Player(context);
    this.player.load(buffers, playing);
    this.sounds = sounds;
    this.enough = enough ?? Infinity;
    this.buttons = new Map(sounds.map((sound) => [sound.id, this.#make(sound)]));
    this.#last = sounds[0].id;
    this.keys = {
      ...Object.fromEntries(
        sounds.filter(({ key }) => key).map(({ id, key }) => [key, () => this.toggle(id)]),
      ),
      ' ': () => this.toggle(this.player.current ?? this.#last),
    };
  }

  /** Begin to look after the player; `refresh` is called a few times a second. */
  open(refresh = () => {}) {
    this.timer = setInterval(() => {
      this.refresh();
      refresh();
    }, PERIOD);
  }

  close() {
    clearInterval(this.timer);
    this.player.stop();
  }

  button(id) {
    return this.buttons.get(id);
  }

  /** Play a recording, or go over to it. */
  listen(id) {
    this.#last = id;
    this.player.play(id);
    this.refresh();
  }

  toggle(id) {
    if (this.player.current !== id) this.listen(id);
    else this.player.stop();
    this.refresh();
  }

  /** What the keys do: those of recordings, of the answer, and of the page. */
  help(sheet = { keys: {}, help: [] }) {
    const plays = this.sounds.map(({ key }) => key).filter((key) => key && !(key in sheet.keys));
    return [
      [plays.map((key) => key.toUpperCase()), text('keys.play')],
      [[text('keys.space')], text('keys.toggle')],
      ...sheet.help,
      [[text('keys.enter')], text('keys.next')],
    ];
  }

  /** Seconds heard of each recording, to the millisecond. */
  get heard() {
    const rounded = (stretches) => Math.round(1000 * stretches.seconds) / 1000;
    return Object.fromEntries(
      this.sounds.map(({ id }) => [id, rounded(this.player.heard.get(id))]),
    );
  }

  /** The recordings of which not enough was heard. */
  get unheard() {
    return this.sounds.filter(({ id }) => this.#share(id) < 1);
  }

  refresh() {
    this.player.tick();
    for (const [id, button] of this.buttons) {
      const share = this.#share(id);
      button.setAttribute('aria-pressed', String(this.player.current === id));
      button.style.setProperty('--heard', share);
      button.classList.toggle('heard', share === 1);
      const state = button.querySelector('.state');
      const words = share === 1 ? text('sounds.heard') : '';
      if (state.textContent !== words) state.textContent = words;
    }
  }

  /** Of what must be heard of a recording, what share was. */
  #share(id) {
    const needed = Math.min(NEARLY_ALL * this.player.buffers.get(id).duration, this.enough);
    return Math.min(1, this.player.heard.get(id).seconds / needed);
  }

  #make({ id, name, key }) {
    return make(
      'button.sound',
      {
        type: 'button',
        'data-stimulus': id,
        'aria-pressed': 'false',
        'aria-keyshortcuts': key?.toUpperCase(),
        onclick: () => this.toggle(id),
      },
      make('span.ring', { 'aria-hidden': 'true' }),
      make('span.name', {}, make('span.hidden', {}, text('sounds.play')), name),
      make('span.state.hidden', {}),
      key && make('kbd', { 'aria-hidden': 'true' }, key.toUpperCase()),
    );
  }
}
