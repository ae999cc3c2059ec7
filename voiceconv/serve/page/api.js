/** Requests to the server. */

import { text } from './strings.js';

/** The server cannot be reached. */
export class Unreachable extends Error {
  constructor() {
    super(text('unreachable'));
  }
}

/** The server refused a request; the message is its sentence. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** fetch to the last byte; throws Unreachable or Refused unless it succeeds. */
async function request(path, { token, ...options } = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  let body;
  try {
    response = await fetch(path, { ...options, headers, cache: 'no-store' });
    body = await response.arrayBuffer();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Unreachable();
  }
  if (!response.ok) throw new Refused(response.status, sentenceOf(response, body));
  return body;
}

function json(body) {
  return JSON.parse(new TextDecoder().decode(body));
}

function sentenceOf(response, body) {
  try {
    const { detail } = json(body);
    if (typeof detail === 'string' && detail) return detail;
  } catch {
    // No JSON: a proxy between us and the server may have answered.
  }
  return text('refused', { status: response.status });
}

export async function models() {
  return json(await request('api/models'));
}

/** Send a recording; gives the job's id and token. */
export async function createJob({ model, target }, recording, signal) {
  const query = new URLSearchParams({ model, target });
  const headers = { 'Content-Type': 'application/octet-stream' };
  const options = { method: 'POST', body: recording, headers, signal };
  return json(await request(`api/jobs?${query}`, options));
}

export async function jobState({ id, token }) {
  return json(await request(`api/jobs/${id}`, { token }));
}

/** Cancel a job, if it is not over, and delete its recordings. */
export async function deleteJob({ id, token }) {
  await request(`api/jobs/${id}`, { method: 'DELETE', token, keepalive: true });
}

/** Bytes of "source.wav" or "result.wav". */
export function jobFile({ id, token }, name) {
  return request(`api/jobs/${id}/${name}`, { token });
}

export async function jobAnalysis({ id, token }) {
  return json(await request(`api/jobs/${id}/analysis`, { token }));
}

/** Address of the WebSocket for live conversion; parameters without a value are left out. */
export function liveAddress(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value != null && value !== '');
  const address = new URL(`api/live?${new URLSearchParams(given)}`, document.baseURI);
  address.protocol = address.protocol.replace('http', 'ws');
  return address;
}
