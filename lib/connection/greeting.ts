/**
 * The greeting of one connection, where its protocol has one: hellos both ways, in time.
 *
 * @module
 */

import type { HeartbeatTerms } from "../liveness/agreement.ts";
import type { Hello, Role, SessionOffer, Wire } from "../protocol/protocol.ts";
import { ASK_AGAIN, type Due, type Wheel } from "../time/wheel.ts";

/** What a {@linkcode Greeting} needs from the connection it belongs to. */
export interface GreetingOwner {
  /** Sends bytes of the protocol itself. */
  write(bytes: Uint8Array): void;
  /** A client has greeted: {@linkcode Greeting.answer} it. */
  asked(hello: Hello): void;
  /** Both have greeted. */
  greeted(hello: Hello): void;
  /** The peer has not greeted in time. */
  late(): void;
}

/** Greets, and waits for the peer to. */
export class Greeting implements Due {
  readonly #wire: Wire<never, never>;
  readonly #role: Role;
  readonly #terms: HeartbeatTerms;
  readonly #wheel: Wheel;
  readonly #owner: GreetingOwner;
  readonly #entry: number;
  #over = false;
  #hello: Hello | undefined;

  /** Starts to wait, until `deadline`. A client greets at once; `session` is what it wants of one. */
  constructor(
    wire: Wire<never, never>,
    role: Role,
    terms: HeartbeatTerms,
    wheel: Wheel,
    deadline: number,
    owner: GreetingOwner,
  ) {
    this.#wire = wire;
    this.#role = role;
    this.#terms = terms;
    this.#wheel = wheel;
    this.#owner = owner;
    this.#entry = wheel.add(this, deadline);
  }

  /** Says hello as the client, which goes first. */
  begin(session: SessionOffer | undefined): void {
    if (this.#role === "client") this.#say(session);
  }

  /** The peer said hello. */
  heard(hello: Hello): void {
    this.#hello = hello;
    if (this.#role === "server") return this.#owner.asked(hello);
    this.stop();
    this.#owner.greeted(hello);
  }

  /** Answers a client's hello. */
  answer(session: SessionOffer | undefined): void {
    if (this.#over) return;
    this.stop();
    this.#say(session);
    this.#owner.greeted(this.#hello!);
  }

  /** Stops to wait. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#wheel.remove(this.#entry);
  }

  due(_now: number, sure: boolean): number {
    if (!sure) return ASK_AGAIN;
    this.#owner.late();
    return Infinity;
  }

  #say(session: SessionOffer | undefined): void {
    this.#owner.write(this.#wire.greet!({ ...this.#terms, session }));
  }
}
