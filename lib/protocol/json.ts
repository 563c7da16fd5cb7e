/**
 * JSON values over a protocol that carries text.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { frames } from "./frames.ts";
import type { DrainNotice, Farewell, Hello, Pieces, Protocol, Wire, WireEvents } from "./protocol.ts";

/** Options for {@linkcode json}. */
export interface JsonOptions<T> {
  /** What carries the text, one value a message. @default {frames()} */
  readonly over?: Protocol<Uint8Array | string> | Protocol<string>;
  /**
   * Checks a value that has come, and returns it as what it is; here is where a schema library goes. If it throws, the
   * connection ends with `protocol-error`, and what it threw is the cause.
   *
   * @default every JSON value is taken as it is
   */
  readonly validate?: (value: unknown) => T;
}

/**
 * JSON values, one a message.
 *
 * @example
 * ```ts
 * import { connect, json, serve } from "@holdfast/holdfast";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * const protocol = json({
 *   validate: (value): number[] => {
 *     if (Array.isArray(value) && value.every((item) => typeof item === "number")) return value;
 *     throw new TypeError("A list of numbers is wanted");
 *   },
 * });
 * await using server = await serve({ port: 0, protocol }, (connection) => {
 *   connection.onMessage = (numbers) => connection.send(numbers.map((number) => number * 2));
 * });
 * await using connection = await connect(server.address, { protocol });
 * await connection.send([1, 2, 3]);
 * for await (const numbers of connection) {
 *   deepStrictEqual(numbers, [2, 4, 6]);
 *   break;
 * }
 * ```
 */
export function json<T = unknown>(options: JsonOptions<T> = {}): Protocol<T> {
  const { over = frames(), validate = (value: unknown) => value as T } = options;
  // Both kinds of carrier take strings; what else they bring is refused when it comes.
  const carrier = over as Protocol<Uint8Array | string, string>;
  return {
    name: `json over ${carrier.name}`,
    answersPings: carrier.answersPings,
    greets: carrier.greets ?? false,
    key: carrier.key,
    fillRandom: carrier.fillRandom,
    ...(carrier.readBack && { readBack: (pieces) => JSON.parse(carrier.readBack!(pieces)) }),
    open: (role) => new JsonWire(carrier.open(role), validate),
  };
}

type Carrier = Wire<Uint8Array | string, string>;

/** A wire with the texts of its messages read and written as JSON. Everything else is the carrier's. */
class JsonWire<T> implements Wire<T> {
  readonly #wire: Carrier;
  readonly #reader: JsonReader<T>;

  // What the carrier cannot, this cannot.
  readonly ping?: NonNullable<Carrier["ping"]>;
  readonly pong?: NonNullable<Carrier["pong"]>;
  readonly challenge?: NonNullable<Carrier["challenge"]>;
  readonly goodbye?: NonNullable<Carrier["goodbye"]>;
  readonly greet?: NonNullable<Carrier["greet"]>;
  readonly ack?: NonNullable<Carrier["ack"]>;
  readonly drain?: NonNullable<Carrier["drain"]>;

  constructor(wire: Carrier, validate: (value: unknown) => T) {
    this.#wire = wire;
    this.#reader = new JsonReader(validate);
    if (wire.ping) this.ping = wire.ping.bind(wire);
    if (wire.pong) this.pong = wire.pong.bind(wire);
    if (wire.challenge) this.challenge = wire.challenge.bind(wire);
    if (wire.goodbye) this.goodbye = wire.goodbye.bind(wire);
    if (wire.greet) this.greet = wire.greet.bind(wire);
    if (wire.ack) this.ack = wire.ack.bind(wire);
    if (wire.drain) this.drain = wire.drain.bind(wire);
  }

  get unfinished(): number {
    return this.#wire.unfinished;
  }

  receive(chunk: Uint8Array, events: WireEvents<T>): number | void {
    this.#reader.events = events;
    return this.#wire.receive(chunk, this.#reader);
  }

  end(events: WireEvents<T>): void {
    this.#reader.events = events;
    this.#wire.end(this.#reader);
  }

  encode(value: T): Uint8Array | Pieces {
    const text: string | undefined = JSON.stringify(value);
    if (text !== undefined) return this.#wire.encode(text);
    throw new TypeError(`Cannot send as a message must be a JSON value: current one is ${String(value)}`);
  }
}

/** Reads what the carrier tells, and passes it on. */
class JsonReader<T> implements WireEvents<Uint8Array | string> {
  readonly #validate: (value: unknown) => T;
  /** Who is told. */
  events!: WireEvents<T>;

  constructor(validate: (value: unknown) => T) {
    this.#validate = validate;
  }

  get enough(): boolean {
    return this.events.enough === true;
  }

  message(text: Uint8Array | string, size: number): void {
    if (typeof text !== "string") throw new ProtocolError("A JSON value must come as text: bytes came");
    let value;
    try {
      value = this.#validate(JSON.parse(text));
    } catch (cause) {
      throw new ProtocolError(
        `A message must be valid: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
    this.events.message(value, size);
  }

  ping(payload?: Uint8Array): void {
    this.events.ping(payload);
  }

  pong(payload?: Uint8Array, asked?: boolean, proof?: Uint8Array): void {
    this.events.pong(payload, asked, proof);
  }

  hello(hello: Hello): void {
    this.events.hello?.(hello);
  }

  acked(count: number): void {
    this.events.acked?.(count);
  }

  draining(notice: DrainNotice): void {
    this.events.draining?.(notice);
  }

  farewell(farewell: Farewell): void {
    this.events.farewell?.(farewell);
  }
}
