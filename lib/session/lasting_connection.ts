/**
 * A connection that outlives its sockets: what an application holds stays, and what carries it is replaced.
 *
 * With a session, messages are numbered, kept until they are acknowledged, and sent again. Without one, what was sent
 * while there was nothing to carry it waits, and what a lost socket took with it is gone.
 *
 * @module
 */

import { closeReason, farewellOf } from "../connection/close_reason.ts";
import type {
  Connection,
  ConnectionHeartbeat,
  ConnectionState,
  ConnectionStats,
  OnMessage,
} from "../connection.ts";
import { encoded, outgoing } from "../connection/encoded.ts";
import { Inbox, type InboxOwner } from "../connection/inbox.ts";
import { failedLate } from "../connection/late_failure.ts";
import type { ConnectionKeeper, MessageSink } from "../connection/keeper.ts";
import { type LiveConnection, nextId } from "../connection/live_connection.ts";
import { Outcome } from "../connection/outcome.ts";
import type { ConnectionPolicy } from "../connection/policy.ts";
import { Room } from "../connection/room.ts";
import { isReceiving } from "../connection/turn_batch.ts";
import {
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ErrorOrigin,
  type Farewell,
  ProtocolError,
} from "../errors.ts";
import type { RoundTripTimes } from "../liveness/rtt.ts";
import type { Happening } from "../observer.ts";
import { CloseCode } from "../protocol/close_codes.ts";
import type { DrainNotice, Hello } from "../protocol/protocol.ts";
import type { Address, TlsInfo } from "../transport/transport.ts";
import { Acks, type AcksOwner } from "./acks.ts";
import { isTheEnd, type LastingOwner, type Session } from "./lasting_owner.ts";
import { Link } from "./link.ts";
import { Outbox } from "./outbox.ts";
import { Patience } from "./patience.ts";
import { Receipts } from "./receipts.ts";
import type { SessionRecord } from "./store.ts";
import { nameOf } from "./ticket.ts";

const ELSEWHERE = "Cannot send as the connection is away or has finished sending";

/** See {@linkcode Connection}. */
export class LastingConnection<In, Out>
  implements Connection<In, Out>, InboxOwner<In>, ConnectionKeeper<In, Out>, AcksOwner, MessageSink<In> {
  readonly id: number = nextId();
  readonly #policy: ConnectionPolicy<In, Out>;
  readonly #owner: LastingOwner<In, Out>;
  /** Who else keeps the connections that carry this one. */
  readonly #keeper: ConnectionKeeper<In, Out> | undefined;
  readonly #keepsWhileAway: boolean;
  readonly #inbox: Inbox<In>;
  readonly #room: Room;
  readonly #outcome: Outcome = new Outcome();
  #outbox: Outbox = new Outbox();
  #acks: Acks | undefined;
  #session: Session | undefined;
  readonly #link = new Link<In, Out>();
  #state: ConnectionState = "away";
  #scoped = false;
  #full = false;
  /** The link is not read. */
  #held = false;
  #receipts: Receipts = new Receipts();
  /** The link ends because it has lived long enough, and not because anybody is done. */
  #aged = false;
  /** The session has been given to another process. */
  #handedOver = false;
  /** It is being handed over to another process: nothing more is taken. */
  #frozen = false;
  /** We will send no more. */
  #finishing = false;
  /** The peer has said that it is done. */
  #peerDone = false;
  /** With a peer that is to let us go. */
  readonly #closeWait: Patience;
  /** With a link that is not read while the application waits for what comes over it. */
  readonly #standstill: Patience;
  #farewell: Farewell | undefined;
  #retryAfter = 0;
  #messagesSent = 0;
  #messagesReceived = 0;
  #onMessage: OnMessage<In, Out> | undefined;
  onHealth: Connection<In, Out>["onHealth"];
  onState: Connection<In, Out>["onState"];
  onDrain: Connection<In, Out>["onDrain"];

  /** Starts without a link: {@linkcode attach} gives it one. */
  constructor(
    policy: ConnectionPolicy<In, Out>,
    owner: LastingOwner<In, Out>,
    keepsWhileAway = true,
    keeper?: ConnectionKeeper<In, Out>,
  ) {
    this.#policy = policy;
    this.#owner = owner;
    this.#keeper = keeper;
    this.#keepsWhileAway = keepsWhileAway;
    this.#inbox = new Inbox(this, policy.maxInboundBytes);
    this.#room = new Room(policy.maxOutboundBytes);
    const { closeTimeout, writeTimeout } = policy.watch;
    this.#closeWait = new Patience(policy, closeTimeout, () => this.end("close-timeout", "peer"));
    this.#standstill = new Patience(policy, writeTimeout, () => this.#breakStandstill());
  }

  /** Begins a session, or goes on with one that was at rest. */
  begin(session: Session, record?: SessionRecord): void {
    this.#session = session;
    if (record !== undefined) {
      this.#receipts = new Receipts(record.received);
      this.#outbox = new Outbox(record.acknowledged, record.unacknowledged);
    }
    this.#acks = new Acks(this, this.#policy.clock, this.#policy.wheel, this.taken);
  }

  /** The session, if there is one. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Whether something carries it. */
  get linked(): boolean {
    return this.#link.up;
  }

  /** Whether it is being handed over to another process. */
  get leaving(): boolean {
    return this.#frozen;
  }

  /** What the peer of a new link is told to have been received; {@linkcode attach} or {@linkcode withdraw} comes next. */
  offer(): number {
    return this.#receipts.offer(this.taken);
  }

  /** Nothing came of the last offer. */
  withdraw(): void {
    if (this.#state === "closed") return;
    this.#receipts.withdraw();
    this.#acks?.arrived();
  }

  /**
   * Whether the peer may say that it has received so many messages: `early` if it has said before that there were more,
   * `never` if there were not so many.
   */
  couldHave(received: number): "yes" | "early" | "never" {
    const { acknowledged, size } = this.#outbox;
    if (received < acknowledged) return "early";
    return received > acknowledged + size ? "never" : "yes";
  }

  /** Goes on with `live`, whose peer has `received` so many messages of the session. */
  attach(live: LiveConnection<In, Out>, received = 0): void {
    const old = this.#link.take(live);
    this.#aged = false;
    live.adopt(this, this);
    if (old !== undefined) {
      if (this.#session === undefined) this.#link.retire(old, this, this);
      else old.dismiss("superseded");
    }
    const known = this.#receipts.linked(this.taken);
    if (this.#session !== undefined) {
      this.#outbox.acknowledge(received);
      this.#acks!.told(known);
      this.#room.left(this.#outbox.bytes);
    }
    this.#regulate();
    for (const message of this.#outbox.messages) live.transmit(outgoing(message), false);
    if (this.#session === undefined) {
      this.#outbox.clear();
      this.#room.left(live.bufferedAmount);
    }
    this.#owner.attached?.(this);
    if (this.#receipts.expectsAgain) this.#acks?.tell();
    if (this.#state === "away") this.#setState("open");
    else if (this.#state === "draining") live.leave(0);
    else if (this.#state === "closing") this.#part();
    this.#finish();
  }

  get localAddress(): Address {
    return this.#link.live.localAddress;
  }

  get remoteAddress(): Address {
    return this.#link.live.remoteAddress;
  }

  get tls(): TlsInfo | undefined {
    return this.#link.live.tls;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get health(): "healthy" | "suspect" {
    return this.#link.live.health;
  }

  get lastHeardAt(): number {
    return this.#link.live.lastHeardAt;
  }

  get lastSentAt(): number {
    return this.#link.live.lastSentAt;
  }

  get rtt(): RoundTripTimes | undefined {
    return this.#link.live.rtt;
  }

  get hello(): Hello | undefined {
    return this.#link.live.hello;
  }

  get bufferedAmount(): number {
    return this.#outbox.bytes +
      (this.#link.up && this.#session === undefined ? this.#link.live.bufferedAmount : 0);
  }

  get heartbeat(): ConnectionHeartbeat {
    return this.#link.heartbeat;
  }

  get closed(): Promise<CloseReason> {
    return this.#outcome.closed;
  }

  get signal(): AbortSignal {
    return this.#outcome.signal;
  }

  get onMessage(): OnMessage<In, Out> | undefined {
    return this.#onMessage;
  }

  set onMessage(callback: OnMessage<In, Out> | undefined) {
    this.#onMessage = callback;
    this.#inbox.delivers = callback !== undefined;
  }

  send(message: Out): Promise<void> {
    if (this.#finishing || this.#state === "closing" || this.#state === "closed") {
      return this.#outcome.refuse(ELSEWHERE);
    }
    if (this.#session === undefined && this.#link.up) {
      const sent = this.#link.live.send(message);
      this.#messagesSent++;
      return sent;
    }
    if (!this.#link.up && !this.#keepsWhileAway) return this.#outcome.refuse(ELSEWHERE);
    if (this.#outbox.bytes > this.#policy.maxOutboundBytes) {
      // A session that goes elsewhere is not lost for a message too many: its sender is told that this one does not.
      if (!this.#frozen) this.end("write-overflow", "local");
      return this.#outcome.refuse(ELSEWHERE);
    }
    const bytes = this.#link.live.encode(message);
    // A message that goes as it is may be of a chunk that is only lent.
    const lent = bytes === message && isReceiving() && bytes instanceof Uint8Array;
    const kept = encoded(lent ? new Uint8Array(bytes) : bytes);
    this.#outbox.add(kept);
    this.#messagesSent++;
    if (this.#link.up) {
      this.#acks?.sending(!this.#link.live.collecting);
      this.#link.live.transmit(outgoing(kept), this.#inbox.waiting > 0);
    }
    const room = this.#room.wait(this.#outbox.bytes);
    if (this.#frozen) this.#room.release();
    this.#regulate();
    return room;
  }

  flush(): Promise<void> {
    if (this.#state === "closed") return this.#outcome.refuse(ELSEWHERE);
    const empty = this.#room.empty(this.bufferedAmount);
    this.#regulate();
    return empty;
  }

  finish(): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#finishing = true;
    this.#finish();
  }

  /** Says that no more will be sent, once everything that was is known to have arrived. */
  #finish(): void {
    if (this.#finishing && this.#link.up && this.#outbox.size === 0) this.#link.live.finish();
  }

  async close(farewell?: Partial<Farewell>): Promise<void> {
    this.#close(farewell && farewellOf(farewell, this.#policy.protocol.greets));
    await this.closed;
  }

  abort(reason?: unknown): void {
    this.#inbox.clear();
    this.end("aborted", "local", reason);
  }

  async drain(): Promise<void> {
    this.leave(0);
    await this.closed;
  }

  probe(): Promise<number> {
    return this.#link.up ? this.#link.live.probe() : this.#outcome.refuse(ELSEWHERE);
  }

  reconnectNow(): void {
    if (this.#owner.reconnectNow !== undefined) return this.#owner.reconnectNow();
    throw new TypeError("Cannot reconnect as only a client can: this is the server's end");
  }

  stats(): ConnectionStats {
    // What goes over several links is one message still.
    return {
      ...this.#link.stats(),
      messagesSent: this.#messagesSent,
      messagesReceived: this.#messagesReceived,
    };
  }

  ref(): void {
    this.#owner.referenced?.(true);
    this.#link.refer(true);
  }

  unref(): void {
    this.#owner.referenced?.(false);
    this.#link.refer(false);
  }

  [Symbol.asyncIterator](): AsyncIterator<In, undefined> {
    return this.#inbox;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** As `LiveConnection.scope()`. */
  scope(handler: PromiseLike<unknown>): void {
    this.#scoped = true;
    handler.then(() => this.#close(), (error) => this.failed(error));
  }

  /** Begins to drain, `delay` ms from now. `notice` is what the peer is told. */
  leave(delay: number, notice?: DrainNotice): void {
    if (this.#state !== "open" && this.#state !== "away") return;
    this.#retryAfter = notice?.retryAfter ?? 0;
    this.#setState("draining");
    if (this.#link.up) this.#link.live.leave(delay, notice);
    else this.#drained();
  }

  /** Ends it, whatever carries it. */
  end(code: ConnectionErrorCode, origin: ErrorOrigin, cause?: unknown, farewell?: Farewell): void {
    if (this.#state === "closed") return;
    const unacknowledged = this.#unacknowledged();
    const facts = this.#link.facts(this.bufferedAmount, this.#policy.clock);
    const reason = closeReason(code, origin, facts, cause, farewell, unacknowledged);
    this.#state = "closed";
    this.#outcome.decide(reason);
    const live = this.#link.lose();
    // Why it ends is told where the other end can hear it.
    if (live === undefined && code === "handler-failed") this.#keeper?.handlerFailed?.(cause, this);
    if (code === "aborted") live?.abort(cause);
    else live?.dismiss(code === "session-lost" ? "closed" : code, cause);
    this.#link.abortRetired(cause);
    this.#acks?.end();
    this.#closeWait.end();
    this.#standstill.end();
    this.#inbox.end(code === "closed" ? undefined : reason);
    this.#room.end(reason);
    this.#outcome.announce();
    this.#owner.over(this, reason);
    this.#call(() => this.onState?.("closed", this));
  }

  // What the link tells.

  push(message: In, size: number): void {
    // What is thrown away does not count: the peer keeps it, and tells its sender.
    if (this.#frozen || this.#inbox.ended || this.#state === "closing" || this.#state === "closed") return;
    if (!this.#receipts.count()) return;
    this.#messagesReceived++;
    this.#inbox.push(message, size);
    this.#regulate();
    this.#acks?.arrived();
  }

  acked(live: LiveConnection<In, Out>, count: number): void {
    if (live !== this.#link.live || this.#session === undefined) return;
    if (!this.#outbox.acknowledge(count)) {
      return live.dismiss(
        "protocol-error",
        new ProtocolError(`${count} messages were acknowledged, which were not sent`),
      );
    }
    this.#room.left(this.#outbox.bytes);
    if (this.#state === "closing" && !this.#frozen) this.#part();
    else this.#finish();
  }

  draining(_live: LiveConnection<In, Out>, notice: DrainNotice): void {
    this.#owner.draining?.(notice);
    this.#call(() => this.onDrain?.(notice, this));
  }

  noticed(what: Happening, live: LiveConnection<In, Out>): void {
    this.#keeper?.noticed?.(what, live);
    if (live !== this.#link.live || (what !== "suspect" && what !== "healthy")) return;
    if (what === "suspect") this.#owner.suspect?.();
    this.#call(() => this.onHealth?.(what, this));
  }

  written(live: LiveConnection<In, Out>): void {
    if (live === this.#link.live && this.#session === undefined) this.#room.left(this.bufferedAmount);
  }

  peerEnded(live: LiveConnection<In, Out>, farewell: Farewell | undefined): void {
    // A link that we have ended is answered with a close in good order, too.
    if (live !== this.#link.live || farewell?.code !== CloseCode.normal || this.#aged) return live.part();
    this.#peerDone = true;
    this.#inbox.end();
  }

  quiet(live: LiveConnection<In, Out>): void {
    if (live !== this.#link.live) return live.part();
    // Only the link has lived long enough.
    if (this.#state !== "draining") {
      this.#aged = true;
      return live.part({ code: CloseCode.maxAge, text: "", retryAfter: 0 });
    }
    if (this.#inbox.idle && live.bufferedAmount === 0) this.#drained();
    else live.drainOn();
  }

  ended(live: LiveConnection<In, Out>, reason: CloseReason): void {
    this.#keeper?.ended(live, reason);
    this.#link.ended(live);
    if (live !== this.#link.live || this.#state === "closed") return;
    this.#link.lose();
    // However the link ended: the session goes on elsewhere.
    if (this.#handedOver) return this.end("closed", "local");
    const { code, origin, cause, farewell } = reason;
    if (this.#isOver(reason)) return this.end(code, origin, cause, farewell);
    if (this.#state === "open") this.#setState("away");
    this.#owner.away(this, reason);
    // There will be no quiet moment on a link that is gone: what is to be handed over can be.
    if (this.#state === "draining" && this.#policy.role === "server") this.#drained();
  }

  // What the inbox tells.

  own(message: In): In {
    return this.#link.live.own(message);
  }

  keep(): void {
    this.#link.live.keep();
  }

  deliver(message: In): unknown {
    return this.#onMessage!(message, this);
  }

  full(full: boolean): void {
    this.#full = full;
    this.#regulate();
  }

  emptied(): void {
    if (!this.#scoped && this.#onMessage !== undefined) this.#close();
  }

  afterTurn(then: () => void): void {
    this.#policy.clock.afterTurn(then);
  }

  failed(error: unknown): void {
    if (this.#state === "closed") {
      const keeper = this.#keeper;
      const told = keeper?.handlerFailed && ((error: unknown) => keeper.handlerFailed!(error, this));
      return failedLate(error, this.#outcome.reason, told);
    }
    // Whoever gives up since no more is taken has done all there was to do.
    if (this.#frozen && error instanceof ConnectionError && error.code === "closed") {
      return void this.#handOver();
    }
    this.#inbox.clear();
    this.end("handler-failed", "local", error);
  }

  // What the acks ask.

  get taken(): number {
    return this.#receipts.taken(this.#inbox.waiting);
  }

  get waiting(): boolean {
    return this.#inbox.waiting > 0;
  }

  acknowledge(count: number): boolean {
    if (!this.#link.up || this.#receipts.offering) return false;
    this.#link.live.acknowledge(count);
    return true;
  }

  /**
   * Stops reading while the application has no room. Not while it waits for room itself: what it waits for are
   * acknowledgements, which stand behind the messages that it has no room for, and neither end would move again. A peer
   * with bounds like ours sends no more than those, and one message that goes beyond, before it waits too.
   */
  #regulate(): void {
    if (!this.#link.up || (!this.#full && !this.#held)) return;
    const { maxInboundBytes, maxOutboundBytes } = this.#policy;
    const waits = this.#session !== undefined && this.#room.awaited;
    this.#held = this.#full && !(waits && this.#inbox.bytesButLast < maxInboundBytes + maxOutboundBytes);
    this.#link.live.full(this.#held);
    if (this.#held && waits) this.#standstill.begin(this.#outbox.acknowledged);
    else this.#standstill.end();
  }

  /** The peer's bounds are wider than ours. What it acknowledges is in the hello of the next link. */
  #breakStandstill(): void {
    this.#standstill.end();
    if (this.#link.up && this.#held) this.#link.live.dismiss("write-stalled");
  }

  #isOver(reason: CloseReason): boolean {
    if (this.#peerDone) return true;
    // The client is told nothing then, and finds its session where it went.
    if (this.#frozen) return false;
    if (reason.code === "superseded" && this.#owner.replacing?.()) return false;
    if (this.#state === "closing" && (this.#session === undefined || this.#outbox.size === 0)) return true;
    return isTheEnd(reason, this.#aged);
  }

  #close(farewell?: Farewell): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    if (this.#frozen) return void this.#handOver();
    this.#farewell = farewell;
    this.#setState("closing");
    this.#inbox.end();
    this.#discard();
    this.#part();
  }

  /** Throws away what waits for the application: it never took it, so the peer must not be told that it has. */
  #discard(): void {
    this.#receipts.discard(this.#inbox.waiting);
    this.#inbox.clear();
  }

  /** Says goodbye, once everything that was sent is known to have arrived. */
  #part(): void {
    const lasts = this.#session !== undefined && this.#outbox.size > 0 && !this.#peerDone;
    this.#closeWait.begin(this.#outbox.acknowledged);
    if (lasts) return;
    // What was taken is said first: nothing can be after the goodbye.
    this.#acks?.tell();
    if (this.#link.up) this.#link.live.part(this.#farewell);
    else if (this.#outbox.size === 0) this.end("closed", "local");
  }

  /** Nothing is under way any more. */
  #drained(): void {
    this.#frozen = this.#session !== undefined && this.#policy.role === "server";
    // The peer, and its acknowledgements with it, may be on their way elsewhere already.
    if (this.#frozen) this.#room.release();
    this.#inbox.end();
    if (this.#frozen && !this.#link.up && !this.#scoped && this.#onMessage === undefined) {
      void this.#handOver();
    }
  }

  /** Gives the session to whoever takes over, and tells the peer to go there. */
  async #handOver(): Promise<void> {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#setState("closing");
    this.#discard();
    const { ticket } = this.#session!;
    try {
      await this.#owner.handOver?.({
        id: nameOf(ticket),
        secret: ticket.secret,
        received: this.taken,
        acknowledged: this.#outbox.acknowledged,
        unacknowledged: this.#outbox.messages,
      });
    } catch (error) {
      return this.end("handler-failed", "local", error);
    }
    this.#handedOver = true;
    if (this.#link.up) {
      this.#link.live.part({ code: CloseCode.goingAway, text: "", retryAfter: this.#retryAfter });
    } else this.end("closed", "local");
  }

  #unacknowledged(): unknown[] {
    const { protocol } = this.#policy;
    return this.#outbox.messages.map((message) => protocol.readBack?.(message) ?? message);
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#call(() => this.onState?.(state, this));
  }

  /** Calls the application. */
  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.failed(error);
    }
  }
}
