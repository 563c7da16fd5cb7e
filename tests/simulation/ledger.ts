/**
 * What was sent and taken in each session of a run: the books by which a loss, a double and a wrong order are seen.
 *
 * @module
 */

import type { Message } from "./codec.ts";
import type { Process } from "./process.ts";
import type { Talker } from "./talker.ts";
import type { Tap } from "./tap.ts";

/** Bytes that a frame takes besides its payload. */
const HEADER = 3;
/** Longest message that goes in one frame. */
const ONE_FRAME = 65_535;
/** Serial number of the session, direction, number of the message. */
const LABEL = 9;

/** The messages of one direction of a session, whoever sends and takes them. */
export class Course {
  readonly serial: number;
  readonly way: "to-server" | "to-client";
  /** Bytes of each message on the wire, by its number. */
  readonly #sizes: number[] = [];
  /** Messages that applications have taken. */
  taken = 0;

  constructor(serial: number, way: "to-server" | "to-client") {
    this.serial = serial;
    this.way = way;
  }

  /** Messages that `send()` has accepted. */
  get sent(): number {
    return this.#sizes.length;
  }

  /** The next message, of about `size` bytes. It counts when it is {@linkcode accepted}. */
  make(size: number, text: boolean): Message {
    const { sent } = this;
    if (text) return `${this.serial} ${this.way} ${sent} ${"x".repeat(size)}`;
    const bytes = new Uint8Array(LABEL + size).fill(sent & 0xff);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.serial);
    view.setUint8(4, this.#letter);
    view.setUint32(5, sent);
    return bytes;
  }

  /** `send()` has accepted the message that was made last. */
  accepted(message: Message, pieceBytes: number): void {
    const { length } = message;
    this.#sizes.push(length + HEADER * (length > ONE_FRAME ? Math.ceil(length / pieceBytes) : 1));
  }

  /** An application takes `message`. Returns what is wrong with it. */
  take(message: Message): string | undefined {
    const wrong = this.#compare(message, this.taken);
    if (wrong !== undefined) return `took a message that is wrong: ${wrong}`;
    this.taken++;
    return undefined;
  }

  /** Checks that `messages` are the last of the first `upTo`, all of them, in order. */
  checkTail(messages: readonly unknown[], upTo: number): string | undefined {
    const from = upTo - messages.length;
    if (from < 0) return `tells of ${messages.length} messages that are lost, and sent ${upTo}`;
    for (const [i, message] of messages.entries()) {
      const wrong = this.#compare(message as Message, from + i);
      if (wrong !== undefined) return `tells wrongly of what is lost: ${wrong}`;
    }
    return undefined;
  }

  /** Bytes on the wire of the last `count` of the first `upTo` messages. */
  bytes(count: number, upTo: number): number {
    let sum = 0;
    for (let i = upTo - count; i < upTo; i++) sum += this.#sizes[i]!;
    return sum;
  }

  get #letter(): number {
    return this.way === "to-server" ? 1 : 2;
  }

  /** What is wrong with `message` if it should be the one with `number`. */
  #compare(message: Message, number: number): string | undefined {
    let serial: number, way: string, told: number;
    if (typeof message === "string") {
      const parts = message.split(" ", 3);
      [serial, way, told] = [Number(parts[0]), parts[1]!, Number(parts[2])];
      if (message.length > 0 && /[^x]/.test(message.slice(parts.join(" ").length + 1))) {
        return "it was changed";
      }
    } else {
      const view = new DataView(message.buffer, message.byteOffset, message.length);
      if (message.length < LABEL) return `it has ${message.length} bytes`;
      serial = view.getUint32(0);
      way = view.getUint8(4) === 1 ? "to-server" : "to-client";
      told = view.getUint32(5);
      const step = message.length > 2_000 ? 997 : 1;
      for (let i = LABEL; i < message.length; i += step) {
        if (message[i] !== (told & 0xff)) return `its byte ${i} is ${message[i]}`;
      }
    }
    if (serial !== this.serial || way !== this.way || told !== number) {
      return `${serial} ${way} ${told} where ${this.serial} ${this.way} ${number} was due`;
    }
    const size = this.#sizes[number];
    if (size === undefined) return "nobody sent it";
    const length = size - HEADER;
    if (length <= ONE_FRAME ? message.length !== length : message.length > length) {
      return `it has ${message.length} bytes, and ${length} were sent`;
    }
    return undefined;
  }
}

/** A session, as everybody knows it who has a part in it. */
export class Bond {
  readonly ticket: string;
  readonly serial: number;
  readonly toServer: Course;
  readonly toClient: Course;
  /** The client's connection, and those of the servers that had it one after the other. */
  client: Talker | undefined;
  readonly servers: Talker[] = [];
  /** Somebody else has come with the ticket. */
  stolen = false;
  /** It was taken from the store, and no handler has been called yet. */
  atRest: { readonly process: Process; readonly at: number } | undefined;

  constructor(ticket: string, serial: number) {
    this.ticket = ticket;
    this.serial = serial;
    this.toServer = new Course(serial, "to-server");
    this.toClient = new Course(serial, "to-client");
  }
}

/** All sessions and connections of a run. */
export class Ledger {
  readonly #bonds = new Map<string, Bond>();
  readonly #taps = new Map<string, Tap>();

  /** The sessions there ever were. */
  get bonds(): Iterable<Bond> {
    return this.#bonds.values();
  }

  /** Connections that can still be cut. */
  get living(): Tap[] {
    return [...this.#taps.values()].filter(({ living }) => living);
  }

  /** Notes an end of a connection. */
  tapped(tap: Tap): void {
    this.#taps.set(`${tap.route.name} ${tap.side}`, tap);
  }

  /** The end of the connection of `route` on this side. */
  tap(route: string, side: "client" | "server"): Tap | undefined {
    return this.#taps.get(`${route} ${side}`);
  }

  /** The session that the server has granted on `route`: one that nobody knows if it could not say so any more. */
  granted(route: string): Bond {
    const ticket = this.tap(route, "server")?.grant?.ticket ?? `of ${route}`;
    let bond = this.#bonds.get(ticket);
    if (bond === undefined) {
      bond = new Bond(ticket, this.#bonds.size + 1);
      this.#bonds.set(ticket, bond);
    }
    return bond;
  }

  /** The session with this ticket, if there is one. */
  bond(ticket: string): Bond | undefined {
    return this.#bonds.get(ticket);
  }
}
