/** Requests that outlast a server's absence. */

import { Refused, tell } from './dom.js';
import { text } from './strings.js';

const SHORTEST_WAIT = 0.5; // seconds between two attempts: twice as long each time, up to
const LONGEST_WAIT = 15;

/** The server cannot be reached, or not now. */
export class Away extends Error {}

/** The server said no: a client error's status, and why. */
export class Denied extends Refused {
  constructor(status, reason) {
    super(text('denied', { status, reason }));
    this.status = status;
  }
}

/** fetch, relative to the page, to its last byte; throws Away or Denied unless it succeeds. */
export async function request(path, options = {}) {
  const response = await whole(path, options).catch(() => null);
  if (!response || response.status >= 500 || response.status === 429) throw new Away(path);
  if (!response.ok) throw new Denied(response.status, await reason(response));
  return response;
}

/** A response that is here: a server may go away in the middle of one. */
async function whole(path, options) {
  const response = await fetch(path, options);
  const body = await response.arrayBuffer();
  return new Response(body.byteLength > 0 ? body : null, response); // 204 may have none
}

/** Attempt until the server is there; the listener is told, once, that it is not. */
export async function persist(attempt) {
  for (let wait = SHORTEST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      const result = await attempt();
      if (wait > SHORTEST_WAIT) tell('');
      return result;
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      if (wait === SHORTEST_WAIT) tell(text('away'), 'away');
      await new Promise((resume) => {
        setTimeout(resume, 1000 * wait);
        addEventListener('online', resume, { once: true });
      });
    }
  }
}

async function reason(response) {
  const { detail } = await response.json().catch(() => ({}));
  return typeof detail === 'string' ? detail : response.statusText;
}
