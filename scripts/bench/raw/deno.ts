/**
 * What the hand-written servers use of Deno.
 *
 * @module
 */

/** The part of `Deno.Conn` used here. */
export interface Conn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  setNoDelay(on: boolean): void;
  close(): void;
}

/** The part of `Deno` used here. */
export interface DenoLike {
  listen(options: { hostname: string; port: number }): AsyncIterable<Conn>;
}
