/**
 * Peers that know nothing of the library: some well-behaved, some deaf, some hostile.
 *
 * @module
 */

import type { Socket, SocketHandler } from "../../lib/transport/transport.ts";
import type { Dialect } from "./codec.ts";
import type { HostSocket, Ways } from "./host.ts";
import type { Lots } from "./lots.ts";
import type { Process } from "./process.ts";

/** What a plain peer does. */
export type Manner =
  | "silent"
  | "answers"
  | "deaf"
  | "slow"
  | "floods-pings"
  | "floods-pongs"
  | "floods-tokens"
  | "trickles"
  | "finishes"
  | "vanishes";

/** All of them. */
export const MANNERS: readonly Manner[] = [
  "silent",
  "answers",
  "deaf",
  "slow",
  "floods-pings",
  "floods-pongs",
  "floods-tokens",
  "trickles",
  "finishes",
  "vanishes",
];

/** What others may expect of it. */
export function waysOf(manner: Manner, dialect: Dialect): Ways {
  return {
    answers: dialect === "lines" && (manner === "answers" || manner === "vanishes" || manner === "slow"),
    beatsEvery: Infinity,
    floods: manner === "floods-pings",
    forges: manner === "floods-pongs",
    trickles: manner === "trickles" || manner === "floods-tokens",
  };
}

const encoder = new TextEncoder();
const PING = encoder.encode("PING\n");
const PONG = encoder.encode("PONG\n");
const TOKEN = encoder.encode("heartbeat");
const LETTER = encoder.encode("x");

/** A peer with a manner, on one socket. */
export class PlainPeer implements SocketHandler {
  readonly #socket: Socket;
  readonly #process: Process;
  readonly #manner: Manner;
  /** How often it does what it does, in milliseconds. */
  readonly #every: number;
  /** When its manner shows. */
  readonly #from: number;
  /** It does nothing any more. */
  #gone = false;
  #left = false;
  #matched = 0;

  constructor(socket: Socket, process: Process, manner: Manner, lots: Lots, length: number) {
    this.#socket = socket;
    this.#process = process;
    this.#manner = manner;
    const often = manner === "trickles" || manner.startsWith("floods");
    this.#every = often ? lots.scale(length / 200, length / 20) : lots.scale(length / 30, length / 2);
    this.#from = lots.chance(0.3) ? 0 : lots.real(0, length / 2);
    socket.start(this);
    process.after(this.#from, () => this.#show());
  }

  /** Lets go of the socket. */
  leave(): void {
    if (this.#left) return;
    this.#left = this.#gone = true;
    this.#socket.abort();
  }

  data(chunk: Uint8Array): void {
    if (this.#manner !== "answers" && this.#manner !== "vanishes" && this.#manner !== "slow") return;
    // Counts the pings, which may be split anywhere.
    let pings = 0;
    for (const byte of chunk) {
      this.#matched = byte === PING[this.#matched] ? this.#matched + 1 : byte === PING[0] ? 1 : 0;
      if (this.#matched === PING.length) {
        pings++;
        this.#matched = 0;
      }
    }
    if (!this.#gone) { for (; pings > 0; pings--) this.#socket.write(PONG); }
  }

  written(): void {}

  end(): void {
    // One that is deaf or has vanished does not even notice that we go.
    if (this.#manner !== "deaf" && this.#manner !== "vanishes" && this.#manner !== "silent") {
      this.#socket.shutdown();
    }
  }

  close(): void {
    this.#left = this.#gone = true;
  }

  #show(): void {
    if (this.#gone) return;
    switch (this.#manner) {
      case "deaf":
        this.#socket.pause();
        break;
      case "slow":
        this.#socket.pause();
        this.#repeat(() => {
          this.#socket.resume();
          this.#process.after(1, () => this.#gone || this.#socket.pause());
        });
        break;
      case "finishes":
        this.#socket.shutdown();
        break;
      case "vanishes":
        (this.#socket as HostSocket).ways = waysOf("silent", "raw");
        this.#socket.pause();
        this.#gone = true;
        break;
      case "floods-pings":
        this.#repeat(() => this.#socket.write(PING));
        break;
      case "floods-pongs":
        this.#repeat(() => this.#socket.write(PONG));
        break;
      case "floods-tokens":
        this.#repeat(() => this.#socket.write(TOKEN));
        break;
      case "trickles":
        this.#repeat(() => this.#socket.write(LETTER));
    }
  }

  #repeat(act: () => void): void {
    if (this.#gone) return;
    act();
    this.#process.after(this.#every, () => this.#repeat(act));
  }
}
