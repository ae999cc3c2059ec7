/** Passes on the input in chunks of equal length, each with the frame of its first sample. */

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { size } }) {
    super();
    this.size = size;
    this.#renew();
  }

  #renew() {
    this.chunk = new Float32Array(this.size);
    this.filled = 0;
  }

  process([[input]]) {
    const samples = input ?? new Float32Array(128); // a source that does not run yet has no channel
    for (let i = 0; i < samples.length; i += 1) {
      this.chunk[this.filled] = samples[i];
      this.filled += 1;
      if (this.filled === this.size) this.#send(currentFrame + i + 1 - this.size);
    }
    return true;
  }

  #send(frame) {
    this.port.postMessage({ samples: this.chunk, frame }, [this.chunk.buffer]);
    this.#renew();
  }
}

registerProcessor('capture', Capture);
