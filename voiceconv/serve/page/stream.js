/** A live conversion: microphone, WebSocket, and the player of what comes back. */

import { liveAddress } from './api.js';
import { peakOf } from './meter.js';
import { Microphone } from './microphone.js';
import { text } from './strings.js';

const MOST_UNSENT = 1; // seconds of samples that wait in the browser
const BYTES = 4; // per sample

export class LiveStream {
  /**
   * @param {{model: string, target: string, look_ahead: string}} choice
   * @param {number} rate  of the model, Hz: the rate that is preferred for the microphone
   * @param {{onReady: Function, onFigures: (figures: object) => void,
   *     onEnd: (sentence: string | null) => void}} callbacks  onEnd: once; null where we stopped it
   */
  constructor(choice, rate, callbacks) {
    Object.assign(this, { choice, rate, callbacks, ended: false, peak: 0 });
    this.figures = { dropouts: 0, load: null, seconds: 0, underruns: 0 };
  }

  async start() {
    try {
      const microphone = await Microphone.open(this.rate);
      if (this.ended) {
        microphone.close();
        return;
      }
      this.microphone = microphone;
      microphone.onEnded(() => this.#end(text('mic_ended')));
      await microphone.context.audioWorklet.addModule('play-worklet.js');
      if (!this.ended) this.#connect();
    } catch (error) {
      this.#end(error.message);
    }
  }

  /** Stop at once; the server is told that nothing follows. */
  stop() {
    if (this.socket?.readyState === WebSocket.OPEN)
      this.socket.send(JSON.stringify({ type: 'flush' }));
    this.#end(null);
  }

  set muted(muted) {
    if (this.microphone) this.microphone.muted = muted;
  }

  #connect() {
    const { sampleRate } = this.microphone.context;
    this.socket = new WebSocket(liveAddress({ ...this.choice, sample_rate: sampleRate }));
    this.socket.binaryType = 'arraybuffer';
    this.socket.onmessage = ({ data }) => this.#receive(data);
    this.socket.onclose = () => this.#end(text('live_lost'));
  }

  #receive(data) {
    if (data instanceof ArrayBuffer) {
      const block = new Float32Array(data);
      this.player?.port.postMessage(block, [data]);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === 'ready') this.#run(message);
    else if (message.type === 'stats') {
      const { load, dropouts, seconds } = message;
      Object.assign(this.figures, { load, dropouts, seconds });
    } else if (message.type === 'error') this.#end(message.detail);
  }

  /** The server takes samples from now on. */
  #run({ sample_rate: rate, latency }) {
    const { context } = this.microphone;
    this.figures.algorithmic = latency;
    this.player = new AudioWorkletNode(context, 'play', {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { rate },
    });
    this.player.connect(context.destination);
    this.player.port.onmessage = ({ data }) => this.#report(data);
    this.microphone.listen((samples, frame) => this.#send(samples, frame));
    this.callbacks.onReady();
  }

  #send(samples, frame) {
    this.began ??= frame;
    this.peak = Math.max(this.peak, peakOf(samples));
    const most = MOST_UNSENT * BYTES * this.microphone.context.sampleRate;
    if (this.socket.bufferedAmount > most) this.#end(text('live_slow'));
    else if (this.socket.readyState === WebSocket.OPEN) this.socket.send(samples);
  }

  /**
   * Figures of the player. Latency is counted in samples: the output is as long as the input, so
   * what is captured and not yet played is what lies between microphone and ear.
   */
  #report({ frame, position, buffered, playing, underruns, peak }) {
    const { context } = this.microphone;
    const device = context.outputLatency || context.baseLatency || 0;
    if (playing) {
      const inside = (frame - this.began) / context.sampleRate - position;
      Object.assign(this.figures, { measured: inside + device, buffered, device });
    }
    Object.assign(this.figures, { underruns, output: peak, input: this.peak });
    this.peak = 0;
    this.callbacks.onFigures(this.figures);
  }

  #end(sentence) {
    if (this.ended) return;
    this.ended = true;
    if (this.player) this.player.port.onmessage = null;
    this.microphone?.close();
    if (this.socket) this.#leave(sentence === null);
    this.callbacks.onEnd(sentence);
  }

  /** The server closes after a flush. */
  #leave(flushed) {
    const { socket } = this;
    Object.assign(socket, { onclose: null, onmessage: null });
    if (flushed && socket.readyState === WebSocket.OPEN) setTimeout(() => socket.close(), 2000);
    else socket.close();
  }
}
