/**
 * Keeps the process alive while a connection that comes back has no socket which would.
 *
 * @module
 */

/** Whether a process is kept alive for one connection. */
export class Absence {
  readonly #hold: (on: boolean) => void;
  #away = false;
  #referenced = true;
  #holding = false;

  /** @param hold Keeps the process alive, or no longer. */
  constructor(hold: (on: boolean) => void = () => {}) {
    this.#hold = hold;
  }

  /** There is no socket, and there should be one. */
  begin(): void {
    this.#away = true;
    this.#weigh();
  }

  /** There is a socket, or none is wanted any more. */
  end(): void {
    this.#away = false;
    this.#weigh();
  }

  /** Whether the connection is to keep the process alive at all. */
  reference(on: boolean): void {
    this.#referenced = on;
    this.#weigh();
  }

  #weigh(): void {
    const hold = this.#away && this.#referenced;
    if (hold === this.#holding) return;
    this.#holding = hold;
    this.#hold(hold);
  }
}
