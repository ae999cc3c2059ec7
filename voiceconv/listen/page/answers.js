/** Where answers go: to the server, or, where there is none, into this browser for a download. */

import { Denied, persist, request } from './requests.js';
import { forget, lasts, recall, remember } from './memory.js';

/**
 * @typedef {object} Answer
 * @property {string} trial
 * @property {Object<string, number>} values  stimulus -> number
 * @property {Object<string, number>} heard  stimulus -> seconds
 * @property {number} seconds  spent on the trial
 * @property {string} comment
 */

/** The token is unknown to the server: its database is another one. */
export class Stranger extends Error {}

/** The test was opened in another window of this browser, where it goes on. */
export class Elsewhere extends Error {}

// What links call the participant: ours, Prolific's, Mechanical Turk's, CloudResearch's.
const NAMES = ['id', 'prolific_pid', 'workerid', 'participantid'];
const UNFILLED = /[{}]/; // a placeholder that the platform did not fill names nobody
const address = new URLSearchParams(location.search);
const given = new Map([...address].map(([name, value]) => [name.toLowerCase(), value.trim()]));
const named = NAMES.map((name) => given.get(name)).find((one) => one && !UNFILLED.test(one));
const participant = named ? [...named].slice(0, 64).join('') : null; // no character in halves

/** Whether the link is one person's, so that nobody else takes the test by it. */
export const isPersonal = Boolean(participant || address.get('invitation'));

/** The keeper of answers of this test, with all that was answered before a reload. */
export async function openAnswers(test) {
  const who = `${test.id}/${participant ?? ''}`;
  const service = await persist(findService);
  if (service?.id !== test.id) return new LocalAnswers(test, `voiceconv/alone/${who}`);
  const answers = new ServerAnswers(`voiceconv/served/${who}`, service.invitation_needed);
  await answers.resume();
  return answers;
}

/** What the server says of its test; null: the page comes from a server of files. */
async function findService() {
  try {
    return await (await request('api/test')).json();
  } catch (error) {
    if (error instanceof Denied || error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * What outlasts a reload, in this browser. Keepers also have `answered`, a Set of trials, `farewell`,
 * and, in the order of the test, begin, prepare, answer and finish. One that `forgets` loses all at a
 * reload. Two windows would overwrite what the other keeps, so the newest window alone keeps.
 */
class Keeper {
  #window = randomDigits();

  constructor(place, state) {
    this.place = place;
    this.state = recall(place) ?? state;
    remember(`${place}/window`, this.#window);
    /** Rejected once another window keeps the answers. */
    this.taken = new Promise((_, reject) => {
      addEventListener('storage', () => this.#isElsewhere() && reject(new Elsewhere()));
    });
  }

  /** Which list this listener has; undefined until begun. */
  get list() {
    return this.state.list;
  }

  /** Whether volume and instructions are done with. */
  get ready() {
    return this.state.ready ?? false;
  }

  get finished() {
    return this.state.finished ?? false;
  }

  /** Forget this listener, unless another window has the next one already, who begins anew. */
  restart() {
    if (!this.#isElsewhere()) forget(this.place);
  }

  keep(changes) {
    if (this.#isElsewhere()) throw new Elsewhere();
    Object.assign(this.state, changes);
    remember(this.place, this.state);
  }

  #isElsewhere() {
    const holder = recall(`${this.place}/window`);
    return holder !== null && holder !== this.#window;
  }
}

export class ServerAnswers extends Keeper {
  constructor(place, invitationNeeded) {
    super(place, {});
    this.answered = new Set();
    this.invitation = address.get('invitation');
    this.asksInvitation = invitationNeeded && !this.invitation;
  }

  /** Send what was not acknowledged before a reload, and ask where we are. */
  async resume() {
    if (!this.state.token) return;
    try {
      await this.#deliver().catch((error) => {
        if (!(error instanceof Denied)) throw error; // refused for good: it is asked once more
        this.keep({ pending: null });
      });
      const known = await (await this.#call('GET', 'api/session')).json();
      this.answered = new Set(known.answered);
      this.keep({ list: known.list, finished: known.finished });
      if (known.finished && this.state.code === undefined) await this.finish(''); // the first comment stays
    } catch (error) {
      if (!(error instanceof Stranger)) throw error;
      this.stranger = true;
    }
  }

  async begin(invitation = this.invitation) {
    if (this.list != null) return;
    const response = await this.#call('POST', 'api/session', {
      consent: true,
      invitation,
      participant,
    });
    this.keep(await response.json());
    await this.resume(); // an invitation opened a second time goes on
  }

  async prepare(setup) {
    await this.#call('POST', 'api/setup', setup);
    this.keep({ ready: true });
  }

  /** Kept here until the server has said that it is kept there. */
  async answer(answer) {
    this.keep({ pending: answer });
    await this.#deliver();
  }

  async finish(comment) {
    const response = await this.#call('POST', 'api/finish', { comment });
    this.keep({ finished: true, ...(await response.json()) });
  }

  /** How the test ends: with a code or a link, for whom a crowd platform sent. */
  get farewell() {
    return { code: this.state.code, url: this.state.url };
  }

  async #deliver() {
    const { pending } = this.state;
    if (!pending) return;
    try {
      await this.#call('POST', 'api/answers', pending);
    } catch (error) {
      if (error.status !== 409) throw error; // 409: it had arrived, its acknowledgement had not
    }
    this.answered.add(pending.trial);
    this.keep({ pending: null });
  }

  async #call(method, path, body) {
    const headers = { Authorization: `Bearer ${this.state.token}` };
    if (body) headers['Content-Type'] = 'application/json';
    if (!this.state.token) delete headers.Authorization;
    try {
      return await persist(() => request(path, { method, headers, body: JSON.stringify(body) }));
    } catch (error) {
      throw error.status === 401 ? new Stranger() : error;
    }
  }
}

export class LocalAnswers extends Keeper {
  constructor(test, place) {
    super(place, {
      format: 1,
      test: test.id,
      participant,
      setup: {},
      answers: [],
      comment: '',
      finished: false,
    });
    this.nLists = test.lists.length;
    this.completion = test.completion;
    this.forgets = !lasts();
  }

  get answered() {
    return new Set(this.state.answers.map((answer) => answer.trial));
  }

  begin() {
    if (this.list != null) return;
    const asked = Number(address.get('list')) - 1; // ?list=1 is the first
    const drawn = Math.floor(Math.random() * this.nLists);
    const list = Number.isInteger(asked) && asked >= 0 && asked < this.nLists ? asked : drawn;
    this.keep({ listener: randomDigits(), list });
  }

  prepare(setup) {
    this.keep({ setup, ready: true });
  }

  /** The first answer to a trial stays. */
  answer(answer) {
    if (this.answered.has(answer.trial)) return;
    const answered = new Date().toISOString();
    this.keep({ answers: [...this.state.answers, { ...answer, answered }] });
  }

  finish(comment) {
    this.keep({ comment, finished: true });
  }

  /** How the test ends: with a file to be sent, as `voiceconv listen import` reads it; then as above. */
  get farewell() {
    const { ready, ...record } = this.state;
    const name = `answers-${record.test}-${record.listener}.json`;
    return {
      ...this.completion,
      file: new File([JSON.stringify(record, null, 1)], name, { type: 'application/json' }),
    };
  }
}

/** 16 hexadecimal digits; `crypto.randomUUID` is not there without TLS. */
function randomDigits() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return [...bytes].map((n) => n.toString(16).padStart(2, '0')).join('');
}
