/**
 * The sessions of one server: begun, kept while their clients are away, taken up again, handed over.
 *
 * @module
 */

import { count, duration } from "../checked.ts";
import type { ConnectionKeeper } from "../connection/keeper.ts";
import type { LiveConnection } from "../connection/live_connection.ts";
import type { ConnectionPolicy } from "../connection/policy.ts";
import { ProtocolError } from "../errors.ts";
import { CloseCode } from "../protocol/close_codes.ts";
import type { DrainNotice, SessionOffer, SessionTicket } from "../protocol/protocol.ts";
import { LastingConnection } from "./lasting_connection.ts";
import type { LastingOwner } from "./lasting_owner.ts";
import type { SessionRecord, SessionStore } from "./store.ts";
import { nameOf, newTicket, sameSecret } from "./ticket.ts";

/** Options for sessions on a server. */
export interface SessionOptions {
  /** How long a session is kept without a connection, in milliseconds. @default {120_000} as socket.io */
  readonly window?: number;
  /**
   * Sessions without a connection that are kept at a time; above it the one that has been away longest ends with
   * `session-lost`, so that callers who come and go cannot take all memory. @default {10_000}
   */
  readonly maxAway?: number;
  /** Where sessions go when this server drains, for the one that takes over. @default nowhere: then they end */
  readonly store?: SessionStore;
}

/** Takes a session that has begun. */
export type SessionHandler<In, Out> = (connection: LastingConnection<In, Out>) => void;

/** Sessions, by the id of their tickets. */
export class Sessions<In, Out> {
  readonly #policy: ConnectionPolicy<In, Out>;
  readonly #keeper: ConnectionKeeper<In, Out>;
  readonly #handle: SessionHandler<In, Out>;
  readonly #emptied: () => void;
  readonly #window: number;
  readonly #maxAway: number;
  readonly #store: SessionStore | undefined;
  readonly #sessions = new Map<string, LastingConnection<In, Out>>();
  /** Sessions that are being taken from the store. */
  readonly #taking = new Map<string, Promise<void>>();
  /** What is to be done with a connection once it has greeted. */
  readonly #greeted = new WeakMap<LiveConnection<In, Out>, () => void>();

  /** @param emptied Called when there is none any more. */
  constructor(
    policy: ConnectionPolicy<In, Out>,
    keeper: ConnectionKeeper<In, Out>,
    handle: SessionHandler<In, Out>,
    emptied: () => void,
    options: SessionOptions,
  ) {
    if (!policy.protocol.greets) {
      throw new TypeError(
        `Cannot serve as "resume" needs a protocol with sessions, as frames(): this is ${policy.protocol.name}`,
      );
    }
    this.#policy = policy;
    this.#keeper = keeper;
    this.#handle = handle;
    this.#emptied = emptied;
    this.#window = duration("serve", "resume.window", options.window ?? 120_000);
    this.#maxAway = count("serve", "resume.maxAway", options.maxAway ?? 10_000);
    this.#store = options.store;
  }

  /** How many there are. */
  get size(): number {
    return this.#sessions.size + (this.#aborted ? 0 : this.#taking.size);
  }

  /** Those that a handler has, also while their clients are away. */
  get connections(): Iterable<LastingConnection<In, Out>> {
    return [...this.#sessions.values()].filter((connection) => !this.#atRest.has(connection));
  }

  /** A client has greeted, and wants a session: answers it. */
  asked(live: LiveConnection<In, Out>, offer: SessionOffer): void {
    const { ticket } = offer;
    if (ticket === undefined) return this.#begin(live);
    const name = nameOf(ticket);
    const taking = this.#taking.get(name);
    if (taking !== undefined) return void taking.then(() => this.asked(live, offer));
    const known = this.#sessions.get(name);
    if (known !== undefined || this.#store === undefined) return this.#resume(live, offer, ticket, known);
    const take = this.#take(name).finally(() => {
      this.#taking.delete(name);
      this.#checkEmptied();
    });
    this.#taking.set(name, take);
    void take.then(() => this.#resume(live, offer, ticket, this.#sessions.get(name)));
  }

  /** Both have greeted. Returns whether it is a matter of a session. */
  greeted(live: LiveConnection<In, Out>): boolean {
    const attach = this.#greeted.get(live);
    attach?.();
    return attach !== undefined;
  }

  /** Begins to drain each of them, within `spread` ms. */
  leave(spread: number, notice: DrainNotice): void {
    this.#tooLate = (connection) => connection.leave(0, notice);
    for (const connection of this.#sessions.values()) {
      connection.leave(this.#policy.clock.random() * spread, notice);
    }
  }

  /** Ends all of them now. */
  abort(reason: unknown): void {
    this.#tooLate = (connection) => connection.abort(reason);
    for (const connection of this.#sessions.values()) connection.abort(reason);
    // A store that never answers must not keep a server that was told to stop at once.
    this.#aborted = true;
    this.#checkEmptied();
  }

  #begin(live: LiveConnection<In, Out>): void {
    const ticket = newTicket(this.#policy.protocol.fillRandom);
    const connection = this.#newConnection(ticket);
    this.#greeted.set(live, () => {
      connection.attach(live);
      this.#handle(connection);
    });
    live.greet({ resumed: false, ticket, received: 0, window: this.#window });
  }

  #resume(
    live: LiveConnection<In, Out>,
    offer: SessionOffer,
    { secret }: SessionTicket,
    known: LastingConnection<In, Out> | undefined,
  ): void {
    if (live.state === "closed") return;
    const session = known?.session;
    if (session === undefined || !sameSecret(session.ticket.secret, secret)) return this.#begin(live);
    const could = known!.couldHave(offer.received);
    // Its hello was long on the way, and somebody has come with the ticket since.
    if (could === "early") return live.dismiss("superseded");
    if (could === "never") {
      return live.dismiss(
        "protocol-error",
        new ProtocolError(`${offer.received} messages were received, which were not sent`),
      );
    }
    // A session that is being handed over is found where it goes.
    if (known!.leaving) return live.part({ code: CloseCode.goingAway, text: "", retryAfter: 0 });
    this.#greeted.set(live, () => known!.attach(live, offer.received));
    const received = known!.offer();
    live.greet({ resumed: true, ticket: session.ticket, received, window: this.#window });
  }

  /** Takes a session out of the store, if it is there. */
  async #take(name: string): Promise<void> {
    let record: SessionRecord | undefined;
    try {
      record = await this.#store!.take(name);
    } catch {
      // A store that fails is one that has nothing: the client is told that its session is lost.
    }
    if (record === undefined) return;
    const connection = this.#newConnection({ id: bytesOf(record.id), secret: record.secret }, record);
    this.#startWindow(connection);
    this.#atRest.add(connection);
    this.#tooLate?.(connection);
  }

  #checkEmptied(): void {
    if (this.size === 0) this.#emptied();
  }

  #aborted = false;
  /** What becomes of a session that comes from the store when the server has stopped. */
  #tooLate: ((connection: LastingConnection<In, Out>) => void) | undefined;
  /** Sessions from the store whose handler has not been called yet. */
  readonly #atRest = new Set<LastingConnection<In, Out>>();
  /** Entries of the wheel, one for each session whose client is away. */
  readonly #windows = new Map<LastingConnection<In, Out>, number>();

  #newConnection(ticket: SessionTicket, record?: SessionRecord): LastingConnection<In, Out> {
    const name = nameOf(ticket);
    const store = this.#store;
    const owner: LastingOwner<In, Out> = {
      away: (connection) => this.#startWindow(connection),
      attached: (connection) => {
        this.#endWindow(connection);
        if (this.#atRest.delete(connection)) this.#handle(connection);
      },
      over: (connection) => {
        this.#endWindow(connection);
        this.#atRest.delete(connection);
        this.#sessions.delete(name);
        this.#checkEmptied();
      },
      ...(store !== undefined && { handOver: (record: SessionRecord) => store.put(record, this.#window) }),
    };
    const connection = new LastingConnection(this.#policy, owner, true, this.#keeper);
    connection.begin({ ticket, window: this.#window }, record);
    this.#sessions.set(name, connection);
    return connection;
  }

  #startWindow(connection: LastingConnection<In, Out>): void {
    const { clock, wheel } = this.#policy;
    const due = () => {
      connection.end("session-lost", "peer");
      return Infinity;
    };
    this.#windows.set(connection, wheel.add({ due }, clock.now() + this.#window));
    if (this.#windows.size <= this.#maxAway) return;
    const [longest] = this.#windows.keys();
    longest!.end("session-lost", "local");
  }

  #endWindow(connection: LastingConnection<In, Out>): void {
    const entry = this.#windows.get(connection);
    if (entry === undefined) return;
    this.#windows.delete(connection);
    this.#policy.wheel.remove(entry);
  }
}

function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
