/**
 * What happened in a run, line by line, so that two runs can be compared.
 *
 * @module
 */

/** Lines of `time process event`. It is the same for a seed on every machine and runtime. */
export class Trace {
  /** The lines; none are kept unless asked for, as writing them costs more than the run. */
  readonly lines: string[] = [];
  /** Whether lines are kept. */
  readonly on: boolean;

  constructor(on: boolean) {
    this.on = on;
  }

  /** Adds a line if lines are kept. Ask {@linkcode on} first where making `event` costs something. */
  add(time: number, who: string, event: string): void {
    if (this.on) this.lines.push(`${Math.round(time * 1000) / 1000} ${who} ${event}`);
  }

  /** A number that differs for different lines, most likely (FNV-1a, 32 bits). */
  get hash(): string {
    let hash = 0x811c9dc5;
    for (const line of this.lines) {
      for (let i = 0; i <= line.length; i++) {
        hash ^= i === line.length ? 10 : line.charCodeAt(i);
        hash = Math.imul(hash, 0x01000193);
      }
    }
    return (hash >>> 0).toString(16).padStart(8, "0");
  }
}
