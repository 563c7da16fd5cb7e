/**
 * What the hand-written servers use of Bun.
 *
 * @module
 */

/** The part of Bun's socket used here, with what belongs to one in `data`. */
export interface RawSocket<T> {
  data: T;
  /** Returns how many bytes the kernel took; less than 0 if the socket is closed. */
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  end(): void;
}

/** The part of `Bun` used here. */
export interface BunLike {
  listen<T>(options: {
    hostname: string;
    port: number;
    allowHalfOpen: boolean;
    socket: {
      binaryType: "uint8array" | "buffer";
      open(socket: RawSocket<T>): void;
      data(socket: RawSocket<T>, bytes: Uint8Array): void;
      drain(socket: RawSocket<T>): void;
      end(socket: RawSocket<T>): void;
      close(socket: RawSocket<T>): void;
      error(): void;
    };
  }): void;
}
