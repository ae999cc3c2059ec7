/** What was heard of a recording: a union of stretches of time, however often each was played. */
export class Stretches {
  #parts = []; // [from, to] in seconds, apart from each other, in order

  add(from, to) {
    if (!(to > from)) return;
    const apart = this.#parts.filter(([start, end]) => end < from || start > to);
    const touching = this.#parts.filter(([start, end]) => end >= from && start <= to);
    apart.push([
      Math.min(from, ...touching.map(([start]) => start)),
      Math.max(to, ...touching.map(([, end]) => end)),
    ]);
    this.#parts = apart.sort(([first], [second]) => first - second);
  }

  /** Length of the union. */
  get seconds() {
    return this.#parts.reduce((sum, [from, to]) => sum + to - from, 0);
  }
}
