/**
 * What the command needs of the process it runs in. Tests pass their own.
 *
 * @module
 */

/** A signal that ends the command. */
export type EndSignal = "SIGINT" | "SIGTERM";

/** Bytes from standard input. */
export interface Input {
  /** The next bytes, the caller's own; `undefined` at the end. One read at a time. */
  read(): Promise<Uint8Array | undefined>;
  /** Ends reading: a read under way gets `undefined`, and the process is not held any more. */
  cancel(): void;
}

/** A process. */
export interface Host {
  /** Opens standard input. Called at most once. */
  input(): Input;
  /**
   * Writes to standard output. Fulfilled once the system has taken it all, which is the caller's back-pressure.
   * The event loop goes on meanwhile. Rejected, with the code `EPIPE`, if nobody reads any more.
   */
  output(data: Uint8Array | string): Promise<void>;
  /** Writes one line to standard error. */
  tell(line: string): void;
  /** Calls `listener` for each signal, in place of dying of it, until the function returned is called. */
  onSignal(listener: (signal: EndSignal) => void): () => void;
}
