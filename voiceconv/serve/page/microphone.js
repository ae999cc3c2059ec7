/** The microphone as chunks of samples, by an AudioWorklet. */

import { text } from './strings.js';

const WANTED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const CHUNK = 0.02; // seconds

/** The microphone cannot be used; the message says why. */
export class NoMicrophone extends Error {}

async function ask() {
  if (!navigator.mediaDevices) throw new NoMicrophone(text('mic_insecure'));
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: WANTED });
  } catch (error) {
    const known = { NotAllowedError: 'mic_denied', NotFoundError: 'mic_absent' };
    throw new NoMicrophone(text(known[error.name] ?? 'mic_failed', { reason: error.message }));
  }
}

/** A context with the microphone as source: at `rate` where the browser can resample to it. */
function connect(stream, rate) {
  if (rate) {
    let context;
    try {
      context = new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
      return { context, source: context.createMediaStreamSource(stream) };
    } catch {
      context?.close(); // Firefox joins no microphone to a context of another rate
    }
  }
  const context = new AudioContext({ latencyHint: 'interactive' });
  return { context, source: context.createMediaStreamSource(stream) };
}

export class Microphone {
  /**
   * Ask for the microphone; nothing is heard before `listen`.
   * @param {number} [rate]  preferred sample rate, Hz
   */
  static async open(rate) {
    const stream = await ask();
    const { context, source } = connect(stream, rate);
    const microphone = new Microphone(stream, context, source);
    try {
      await context.audioWorklet.addModule('capture-worklet.js');
      await context.resume();
      return microphone;
    } catch (error) {
      microphone.close();
      throw error;
    }
  }

  constructor(stream, context, source) {
    Object.assign(this, { stream, context, source });
    [this.track] = stream.getAudioTracks();
  }

  /**
   * Take chunks of 20 ms from now on.
   * @param {(samples: Float32Array, frame: number) => void} onChunk  frame: of the context's
   *     clock, at the first sample
   */
  listen(onChunk) {
    const size = Math.round(CHUNK * this.context.sampleRate);
    this.capture = new AudioWorkletNode(this.context, 'capture', {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: 'explicit',
      processorOptions: { size },
    });
    this.capture.port.onmessage = ({ data }) => onChunk(data.samples, data.frame);
    this.source.connect(this.capture);
  }

  /** Call back if the device is taken away. */
  onEnded(callback) {
    this.track.addEventListener('ended', callback);
  }

  /** Mute: silence is captured. */
  set muted(muted) {
    this.track.enabled = !muted;
  }

  close() {
    if (this.capture) this.capture.port.onmessage = null;
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context.state !== 'closed') this.context.close();
  }
}
