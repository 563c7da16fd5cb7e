/**
 * The client's side of a connection that lasts: dials, and dials again.
 *
 * @module
 */

import { count, duration } from "../checked.ts";
import type { ConnectionKeeper } from "../connection/keeper.ts";
import { LiveConnection } from "../connection/live_connection.ts";
import type { ConnectionPolicy } from "../connection/policy.ts";
import { type CloseReason, ConnectionError, ProtocolError } from "../errors.ts";
import { backoff, type BackoffOptions } from "../liveness/backoff.ts";
import type { DrainNotice, Hello, SessionOffer } from "../protocol/protocol.ts";
import type { Socket, Target } from "../transport/transport.ts";
import { Absence } from "./absence.ts";
import { isHopeless } from "./hopeless.ts";
import { LastingConnection } from "./lasting_connection.ts";
import type { LastingOwner } from "./lasting_owner.ts";
import { targetOf } from "./place.ts";
import type { ReconnectOptions } from "./reconnect_options.ts";

/** What a {@linkcode Redial} needs to know. */
export interface RedialSetup<In, Out> {
  readonly targets: readonly Target[];
  readonly policy: ConnectionPolicy<In, Out>;
  readonly options: ReconnectOptions;
  /** Whether messages survive: with sessions. */
  readonly resume: boolean;
  readonly signal: AbortSignal | undefined;
  /** Opens a socket. */
  dial(target: Target, signal: AbortSignal): Promise<Socket>;
  /** Keeps the process alive, or no longer: a timer does not. */
  hold?(on: boolean): void;
}

/** How much of the heartbeat's timeout a peer must be in question before a replacement is dialled. */
const SUSPICION = 1 / 4;

/** Keeps one connection carried. */
export class Redial<In, Out> implements LastingOwner<In, Out> {
  readonly #setup: RedialSetup<In, Out>;
  readonly #policy: ConnectionPolicy<In, Out>;
  readonly #options: ReconnectOptions;
  readonly #backoff: BackoffOptions;
  readonly #attempts: number;
  readonly #stableAfter: number;
  readonly #absence: Absence;
  #connection: LastingConnection<In, Out> | undefined;
  /** Attempts in a row that came to nothing. */
  #failed = 0;
  #attachedAt = 0;
  #entry = -1;
  #dialling: AbortController | undefined;
  /** Where a server that drains has sent us, and when we may come. */
  #place: Target | undefined;
  #retryAfter = 0;
  #over = false;
  /** Hellos of ours that asked for the session, and were not answered: each may arrive yet, and take it over. */
  #unanswered = 0;

  /** @throws {RangeError | TypeError} If an option is not what it may be. */
  constructor(setup: RedialSetup<In, Out>) {
    const { policy, options } = setup;
    const { initial = 1_000, whileAway = "keep" } = options;
    this.#setup = setup;
    this.#policy = policy;
    this.#options = options;
    this.#backoff = { ...options, initial };
    this.#absence = new Absence(setup.hold);
    // What is wrong with it is found now, not when the connection is lost.
    backoff(0, this.#backoff, () => 0);
    this.#attempts = count("connect", "reconnect.attempts", options.attempts ?? Infinity);
    this.#stableAfter = duration("connect", "reconnect.stableAfter", options.stableAfter ?? 10_000);
    if (whileAway !== "keep" && whileAway !== "refuse") {
      throw new TypeError(
        `Cannot connect as "reconnect.whileAway" must be "keep" or "refuse": current value is ${whileAway}`,
      );
    }
    if (setup.resume && !policy.protocol.greets) {
      throw new TypeError(
        `Cannot connect as "resume" needs a protocol with sessions, as frames(): this is ${policy.protocol.name}`,
      );
    }
  }

  /** Makes the first connection. */
  async open(): Promise<LastingConnection<In, Out>> {
    const { signal } = this.#setup;
    signal?.throwIfAborted();
    signal?.addEventListener("abort", this.#aborted);
    this.#absence.begin();
    try {
      for (;;) {
        const error = await this.#round();
        if (error === undefined) return this.#connection!;
        signal?.throwIfAborted();
        this.#failed++;
        if (!this.#options.waitForFirst || this.#failed >= this.#attempts || isHopeless(error)) throw error;
        await this.#wait(this.#delay(error));
      }
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  away(_connection: LastingConnection<In, Out>, reason: CloseReason): void {
    if (this.#policy.clock.now() - this.#attachedAt >= this.#stableAfter) this.#failed = 0;
    // One that is being dialled already will do.
    this.#absence.begin();
    if (this.#dialling !== undefined) return;
    if (this.#failed++ >= this.#attempts) return this.#giveUp(reason);
    this.#dialAfter(this.#delay(reason));
  }

  referenced(on: boolean): void {
    this.#absence.reference(on);
  }

  over(): void {
    this.#stop();
  }

  replacing(): boolean {
    if (this.#dialling !== undefined) return true;
    if (this.#unanswered === 0) return false;
    this.#unanswered--;
    return true;
  }

  reconnectNow(): void {
    if (this.#connection?.state === "away" && this.#dialling === undefined) this.#dialAfter(0);
  }

  suspect(): void {
    if (!this.#options.whenSuspect || this.#dialling !== undefined || this.#entry >= 0) return;
    // A peer that is merely idle is asked too: most answer long before this.
    this.#dialAfter(SUSPICION * this.#connection!.heartbeat.timeout, true);
  }

  draining({ within, retryAfter, to }: DrainNotice): void {
    const { follow = true } = this.#options;
    const target = targetOf(to);
    if (target !== undefined && (typeof follow === "function" ? follow(target) : follow)) {
      this.#place = target;
    }
    this.#retryAfter = retryAfter;
    // With a session it is still this connection's, until the server closes it.
    if (this.#setup.resume || this.#dialling !== undefined) return;
    const spread = Math.min(this.#backoff.initial!, Math.max(within - retryAfter, 0) / 2);
    this.#dialAfter(retryAfter + spread * this.#policy.clock.random());
  }

  /** Tries each target once. Returns what went wrong with the last. */
  async #round(): Promise<unknown> {
    const attempt = this.#dialling = new AbortController();
    const { targets } = this.#setup;
    let failure: unknown;
    for (const target of this.#place === undefined ? targets : [this.#place, ...targets]) {
      try {
        await this.#try(target, attempt.signal);
        this.#retryAfter = 0;
        failure = undefined;
        break;
      } catch (error) {
        failure = error;
        this.#connection?.withdraw();
        if (this.#over || isHopeless(error)) break;
        if (target === this.#place) this.#place = undefined;
      }
    }
    if (this.#dialling === attempt) this.#dialling = undefined;
    return failure;
  }

  /** Dials `target`, and greets. */
  async #try(target: Target, signal: AbortSignal): Promise<void> {
    const socket = await this.#setup.dial(target, signal);
    if (this.#over) {
      socket.abort();
      throw signal.reason;
    }
    await new Promise<void>((resolve, reject) => {
      const resumes = this.#connection?.session !== undefined;
      const keeper: ConnectionKeeper<In, Out> = {
        greeted: (_, hello) => this.#greeted(live, hello, resolve, reject),
        ended: (_, reason) => {
          if (resumes && live.hello === undefined && reason.farewell === undefined) this.#unanswered++;
          reject(reason);
        },
      };
      const live = new LiveConnection(socket, this.#policy, keeper);
      const drop = () => live.abort(signal.reason);
      signal.addEventListener("abort", drop, { once: true });
      live.start(this.#setup.resume ? this.#offer() : undefined);
      if (!this.#policy.protocol.greets) {
        this.#attach(live);
        resolve();
      }
    });
  }

  #offer(): SessionOffer {
    const session = this.#connection?.session;
    if (session === undefined) return { resumed: false, received: 0, window: 0 };
    return { resumed: true, ticket: session.ticket, received: this.#connection!.offer(), window: 0 };
  }

  /** Both have greeted: takes what the server grants. */
  #greeted(
    live: LiveConnection<In, Out>,
    { session }: Hello,
    resolve: () => void,
    reject: (reason: unknown) => void,
  ): void {
    const known = this.#connection;
    if (!this.#setup.resume) this.#attach(live);
    else if (session?.ticket === undefined) {
      reject(new ConnectionError("refused", "The server grants no session", { origin: "peer" }));
      live.dismiss("closed");
    } else if (known === undefined) {
      const { ticket, window } = session;
      const connection = this.#newConnection();
      connection.begin({ ticket, window });
      this.#attach(live, connection);
    } else if (!session.resumed) {
      // First: with our end whatever is being dialled is dropped, without a word.
      live.dismiss("closed");
      known.end("session-lost", "peer");
    } else if (known.couldHave(session.received) === "yes") this.#attach(live, known, session.received);
    else {
      const cause = new ProtocolError(`${session.received} messages were received, which cannot be`);
      live.dismiss("protocol-error", cause);
      known.end("session-lost", "peer", cause);
    }
    resolve();
  }

  #attach(
    live: LiveConnection<In, Out>,
    connection = this.#connection ?? this.#newConnection(),
    received = 0,
  ): void {
    this.#connection = connection;
    this.#attachedAt = this.#policy.clock.now();
    // From now on its end is one: the round that made it may have a turn to go.
    this.#dialling = undefined;
    this.#absence.end();
    connection.attach(live, received);
  }

  #newConnection(): LastingConnection<In, Out> {
    return this.#connection = new LastingConnection(this.#policy, this, this.#options.whileAway !== "refuse");
  }

  /** Dials, and if that comes to nothing, again later. */
  async #replace(): Promise<void> {
    const error = await this.#round();
    if (error === undefined || this.#over) return;
    if (isHopeless(error)) return this.#giveUp(error as CloseReason);
    // The old link may have lived on: then nothing is lost.
    if (this.#connection!.linked) return;
    if (this.#failed++ >= this.#attempts) return this.#giveUp(error as CloseReason);
    this.#dialAfter(this.#delay(error));
  }

  #delay(reason: unknown): number {
    const { clock } = this.#policy;
    const told = Math.max((reason as CloseReason).farewell?.retryAfter ?? 0, this.#retryAfter);
    return told + backoff(Math.max(this.#failed - 1, 0), this.#backoff, () => clock.random());
  }

  /** @param ifSuspect Only if the peer is in question by then. */
  #dialAfter(delay: number, ifSuspect = false): void {
    const { clock, wheel } = this.#policy;
    this.#cancel();
    const due = () => {
      this.#cancel();
      const idle = ifSuspect && this.#connection!.health === "healthy";
      if (this.#dialling === undefined && !idle) void this.#replace();
      return Infinity;
    };
    this.#entry = wheel.add({ due }, clock.now() + delay);
  }

  #cancel(): void {
    if (this.#entry >= 0) this.#policy.wheel.remove(this.#entry);
    this.#entry = -1;
  }

  /** Waits before the first connection; an abort ends the wait. */
  #wait(delay: number): Promise<void> {
    const { clock, wheel } = this.#policy;
    const { signal } = this.#setup;
    return new Promise((resolve, reject) => {
      const stop = () => {
        wheel.remove(entry);
        reject(signal!.reason);
      };
      const due = () => {
        wheel.remove(entry);
        signal?.removeEventListener("abort", stop);
        resolve();
        return Infinity;
      };
      const entry = wheel.add({ due }, clock.now() + delay);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  #giveUp({ code, origin, farewell, cause }: CloseReason): void {
    this.#connection?.end(code ?? "connect-failed", origin ?? "network", cause, farewell);
  }

  #aborted = (): void => {
    const { reason } = this.#setup.signal!;
    this.#stop(reason);
    this.#connection?.abort(reason);
  };

  /** Dials no more. */
  #stop(reason?: unknown): void {
    this.#over = true;
    this.#absence.end();
    this.#cancel();
    this.#dialling?.abort(reason);
    this.#setup.signal?.removeEventListener("abort", this.#aborted);
  }
}
