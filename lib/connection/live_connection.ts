/**
 * The connection as it really is: a {@linkcode Lifeline} below, an {@linkcode Inbox} above, and between them the
 * states, the back-pressure and the one close reason.
 *
 * @module
 */

import { closeReason, farewellOf, originOf } from "./close_reason.ts";
import type { ConnectionPolicy } from "./policy.ts";
import type {
  Connection,
  ConnectionHeartbeat,
  ConnectionState,
  ConnectionStats,
  OnMessage,
} from "../connection.ts";
import type { CloseReason, ConnectionErrorCode, ConnectionFacts, ErrorOrigin, Farewell } from "../errors.ts";
import { ACCEPTED, Inbox, type InboxOwner } from "./inbox.ts";
import { heartbeatOf } from "./heartbeat_handle.ts";
import { failedLate } from "./late_failure.ts";
import { Lifeline } from "./lifeline.ts";
import type { BreakCode, LifelineOwner } from "./lifeline_owner.ts";
import { CloseCode, nameOf } from "../protocol/close_codes.ts";
import type { DrainNotice, Hello, Pieces, SessionOffer } from "../protocol/protocol.ts";
import type { RoundTripTimes } from "../liveness/rtt.ts";
import { type Happening, tell } from "../observer.ts";
import type { ConnectionKeeper, MessageSink } from "./keeper.ts";
import { Outcome } from "./outcome.ts";
import { hasRoom, Room } from "./room.ts";
import type { Address, Socket, TlsInfo } from "../transport/transport.ts";

const FINISHED = "Cannot send as the connection has finished sending";

let lastId = 0;

/** The number of the next connection of this process. */
export function nextId(): number {
  return ++lastId;
}

/** See {@linkcode Connection}. */
export class LiveConnection<In, Out> implements Connection<In, Out>, LifelineOwner<In>, InboxOwner<In> {
  readonly id: number = nextId();
  readonly #policy: ConnectionPolicy<In, Out>;
  readonly #line: Lifeline<In, Out>;
  readonly #inbox: Inbox<In>;
  #sink: MessageSink<In>;
  #keeper: ConnectionKeeper<In, Out>;
  #state: ConnectionState = "open";
  #onMessage: OnMessage<In, Out> | undefined;
  onHealth: Connection<In, Out>["onHealth"];
  onState: Connection<In, Out>["onState"];
  onDrain: Connection<In, Out>["onDrain"];
  #messagesSent = 0;
  // Made when first asked for: most connections never are.
  #madeRoom: Room | undefined;
  /** A handler's promise decides when this closes, not the end of the messages. */
  #scoped = false;
  /** It has lived as long as it may. */
  #aged = false;
  #peerEnded = false;
  /** We will send no more. */
  #finished = false;
  /** We began the goodbye before the peer did. */
  #closedFirst = false;
  /** What the peer said when it ended. */
  #farewell: Farewell | undefined;
  /** What the peer is told at the end, if it is not just done: that it may come back. */
  #parting: Farewell | undefined;
  #madeOutcome: Outcome | undefined;
  #heartbeat: ConnectionHeartbeat | undefined;

  /** Takes over a socket that nobody has started. Call {@linkcode start} next. */
  constructor(socket: Socket, policy: ConnectionPolicy<In, Out>, keeper: ConnectionKeeper<In, Out>) {
    this.#policy = policy;
    this.#keeper = keeper;
    this.#sink = this.#inbox = new Inbox(this, policy.maxInboundBytes);
    this.#line = new Lifeline(socket, policy, this);
  }

  /** Starts delivery and the clocks. `session` is what a client that greets wants of one. */
  start(session?: SessionOffer): void {
    if (!this.#policy.protocol.greets) tell(this.#policy.observer, "opened", this);
    this.#line.start(session);
  }

  /** Answers a client that has greeted. */
  greet(session?: SessionOffer): void {
    if (this.#state !== "closed") this.#line.greet(session);
  }

  /** Gives the connection to another keeper, and what it brings to `sink`. */
  adopt(keeper: ConnectionKeeper<In, Out>, sink: MessageSink<In>): void {
    this.#keeper = keeper;
    this.#sink = sink;
  }

  /** Whether it carries a session, so that it is not used by itself. */
  get carries(): boolean {
    return this.#sink !== this.#inbox;
  }

  /** The bytes of a message. @throws {TypeError | RangeError} If the protocol cannot send it. */
  encode(message: Out): Uint8Array | Pieces {
    return this.#line.encode(message);
  }

  get localAddress(): Address {
    return this.#line.socket.localAddress;
  }

  get remoteAddress(): Address {
    return this.#line.socket.remoteAddress;
  }

  get tls(): TlsInfo | undefined {
    return this.#line.socket.tls;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get health(): "healthy" | "suspect" {
    return this.#line.watch.heartbeat.suspect ? "suspect" : "healthy";
  }

  get lastHeardAt(): number {
    return this.#line.lastHeardAt;
  }

  get lastSentAt(): number {
    return this.#line.watch.heartbeat.sentAt;
  }

  get rtt(): RoundTripTimes | undefined {
    return this.#line.watch.heartbeat.times;
  }

  get bufferedAmount(): number {
    return this.#line.bufferedAmount;
  }

  /** Bytes that wait, for the application or to be sent. */
  get heldBytes(): number {
    return this.#inbox.bytes + this.#line.heldBytes;
  }

  /** Probes that were due when the peer turned out to have spoken, beyond those that were noticed. */
  get probesSpared(): number {
    return this.#line.putOffs;
  }

  /** Instant of the last message either way. */
  get messageAt(): number {
    return this.#line.watch.messageAt;
  }

  get heartbeat(): ConnectionHeartbeat {
    return this.#heartbeat ??= heartbeatOf(this.#line, this.#policy.protocol.answersPings);
  }

  get hello(): Hello | undefined {
    return this.#line.peerHello;
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
    if (this.#finished || (this.#state !== "open" && this.#state !== "draining")) {
      return this.#outcome.refuse(FINISHED);
    }
    const buffered = this.#line.bufferedAmount;
    if (buffered > this.#policy.maxOutboundBytes) {
      this.#end("write-overflow", "local");
      return this.#outcome.refuse(FINISHED);
    }
    const size = this.#line.send(message, this.#inbox.waiting > 0);
    this.#messagesSent++;
    // Most of the time there is room for more than this, and nobody need be asked what of it is left.
    return hasRoom(this.#policy.maxOutboundBytes, buffered + size)
      ? ACCEPTED
      : this.#room.wait(this.#line.bufferedAmount);
  }

  /** As {@linkcode send}, for a message that is encoded already. */
  transmit(bytes: Uint8Array | Pieces, more: boolean): void {
    if (this.#finished || this.#state === "closing" || this.#state === "closed") return;
    this.#line.transmit(bytes, more);
    this.#messagesSent++;
  }

  /** Whether something was sent in this turn that the socket does not have yet. */
  get collecting(): boolean {
    return this.#line.collecting;
  }

  /** Acknowledges the first `count` messages of the session. */
  acknowledge(count: number): void {
    if (this.#state !== "closed") this.#line.acknowledge(count);
  }

  finish(): void {
    if (this.#finished || this.#state === "closing" || this.#state === "closed") return;
    this.#finished = true;
    this.#closedFirst = !this.#peerEnded;
    this.#line.finish();
  }

  async close(farewell?: Partial<Farewell>): Promise<void> {
    this.#close(farewell && farewellOf(farewell, this.#policy.protocol.greets));
    await this.closed;
  }

  flush(): Promise<void> {
    return this.#state === "closed" ? this.#outcome.refuse(FINISHED) : this.#room.empty(this.bufferedAmount);
  }

  reconnectNow(): void {
    throw new TypeError('Cannot reconnect as the connection must be made with "reconnect": this one is not');
  }

  abort(reason?: unknown): void {
    if (this.#state === "closed") return;
    this.#inbox.clear();
    this.#end("aborted", "local", reason);
  }

  /** Ends now, since its keeper holds more bytes than it may. */
  shed(): void {
    if (this.#state === "closed") return;
    this.#inbox.clear();
    this.#end("memory-exceeded", "local");
  }

  async drain(): Promise<void> {
    this.leave(0);
    await this.closed;
  }

  /** Begins to drain, `delay` ms from now. `notice` is what the peer is told. */
  leave(delay: number, notice?: DrainNotice): void {
    if (this.#state !== "open") return;
    // Who has not greeted yet has nothing under way.
    if (this.#policy.protocol.greets && this.hello === undefined) return this.#end("aborted", "local");
    this.#setState("draining");
    if (notice !== undefined) {
      this.#parting = { code: CloseCode.goingAway, text: "", retryAfter: notice.retryAfter };
      this.#line.notify(notice);
    }
    this.#line.drain(delay);
  }

  /** Goes on with a drain that found something under way after all. */
  drainOn(): void {
    this.#line.drain();
  }

  /** Ends in good order, and says `farewell`. */
  part(farewell?: Farewell): void {
    this.#close(farewell);
  }

  /** Ends with a verdict of whoever keeps this connection. */
  dismiss(code: ConnectionErrorCode, cause?: unknown): void {
    this.#end(code, "local", cause);
  }

  probe(): Promise<number> {
    return this.#state === "closed" ? this.#outcome.refuse(FINISHED) : this.#line.probe();
  }

  /** What is known of it now, with `bufferedAmount` bytes that wait. */
  facts(bufferedAmount: number): ConnectionFacts {
    return {
      lastHeardAt: this.lastHeardAt,
      lastSentAt: this.lastSentAt,
      endedAt: this.#policy.clock.now(),
      rtt: this.rtt?.latest,
      bufferedAmount,
      pauseSeen: (this.#policy.wheel.pause?.end ?? -Infinity) > this.#line.watch.heartbeat.openedAt,
    };
  }

  stats(): ConnectionStats {
    const { counts } = this.#line;
    return {
      bytesReceived: counts.bytesReceived,
      bytesSent: counts.bytesSent,
      messagesReceived: counts.messagesReceived,
      messagesSent: this.#messagesSent,
      probesSent: counts.probesSent,
      beatsSent: counts.beatsSent,
      beatsReceived: counts.pingsReceived,
      pongsReceived: counts.pongsReceived,
    };
  }

  ref(): void {
    this.#line.socket.ref();
  }

  unref(): void {
    this.#line.socket.unref();
  }

  [Symbol.asyncIterator](): AsyncIterator<In, undefined> {
    return this.#inbox;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Lives as long as `handler` runs: closes when it is fulfilled, ends with `handler-failed` when rejected. */
  scope(handler: PromiseLike<unknown>): void {
    this.#scoped = true;
    handler.then(() => this.#close(), (error) => this.failed(error));
  }

  // What the lifeline tells.

  message(message: In, size: number): void {
    if (this.#state === "open" || this.#state === "draining") this.#sink.push(message, size);
  }

  asked(hello: Hello): void {
    if (this.#keeper.asked === undefined) this.greet();
    else this.#keeper.asked(this, hello);
  }

  greeted(hello: Hello): void {
    tell(this.#policy.observer, "opened", this);
    this.#keeper.greeted?.(this, hello);
  }

  acked(count: number): void {
    this.#keeper.acked?.(this, count);
  }

  draining(notice: DrainNotice): void {
    this.#keeper.draining?.(this, notice);
    this.#call(() => this.onDrain?.(notice, this));
  }

  farewell(farewell: Farewell): void {
    this.#farewell = farewell;
    const code = nameOf(farewell.code);
    // The peer has given up on this connection: there is nothing more to be had from it.
    if (code !== "closed") return this.#end(code, "peer");
    this.ended();
  }

  ended(): void {
    if (this.#peerEnded) return;
    this.#peerEnded = true;
    if (this.#keeper.peerEnded === undefined) this.#inbox.end();
    else this.#keeper.peerEnded(this, this.#farewell);
  }

  written(): void {
    if (this.#madeRoom?.awaited) this.#madeRoom.left(this.#line.bufferedAmount);
    this.#keeper.written?.(this);
  }

  quiet(): void {
    if (this.#state !== "draining") return;
    if (this.#keeper.quiet !== undefined) return this.#keeper.quiet(this);
    if (this.#inbox.idle && this.bufferedAmount === 0) this.#inbox.end();
    else this.#line.drain();
  }

  noticed(what: Happening, fact?: number): void {
    const { observer } = this.#policy;
    this.#keeper.noticed?.(what, this);
    if (observer !== undefined) {
      if (what === "answered") tell(observer, what, this, this.rtt?.latest);
      else if (what === "paused") tell(observer, what, this, fact!);
      else tell(observer, what, this);
    }
    if (this.onHealth !== undefined && (what === "suspect" || what === "healthy")) {
      this.#call(() => this.onHealth?.(what, this));
    }
  }

  aged(): void {
    this.#aged = true;
    this.#parting = { code: CloseCode.maxAge, text: "", retryAfter: 0 };
    this.leave(0);
  }

  broke(code: BreakCode, cause?: unknown): void {
    if (code !== "closed") return this.#end(code, originOf(code, cause), cause);
    if (this.#aged && this.#closedFirst) return this.#end("max-age", "local");
    this.#end("closed", this.#closedFirst ? "local" : "peer");
  }

  // What the inbox tells.

  own(message: In): In {
    return this.#line.loan.own(message);
  }

  keep(): void {
    this.#line.loan.keep();
  }

  deliver(message: In): unknown {
    return this.#onMessage!(message, this);
  }

  full(full: boolean): void {
    this.#line.hold(full);
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
      const told = keeper.handlerFailed && ((error: unknown) => keeper.handlerFailed!(error, this));
      return failedLate(error, this.#outcome.reason, told);
    }
    this.#inbox.clear();
    this.#end("handler-failed", "local", error);
  }

  #close(farewell: Farewell | undefined = this.#parting): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    if (!this.#finished) this.#closedFirst = !this.#peerEnded;
    this.#setState("closing");
    // What is still to come is read and thrown away: unread bytes would turn our FIN into a reset, which takes the
    // answers with it that are under way.
    this.#inbox.end();
    this.#inbox.clear();
    this.#line.part(farewell);
  }

  #end(code: ConnectionErrorCode, origin: ErrorOrigin, cause?: unknown): void {
    if (this.#state === "closed") return;
    const reason = closeReason(code, origin, this.facts(this.bufferedAmount), cause, this.#farewell);
    if (code !== "closed") tell(this.#policy.observer, "verdict", this, reason);
    this.#state = "closed";
    this.#outcome.decide(reason);
    this.#line.abort(code);
    this.#line.pulse.end(reason);
    this.#inbox.end(code === "closed" ? undefined : reason);
    this.#madeRoom?.end(reason);
    this.#outcome.announce();
    this.#keeper.ended(this, reason);
    tell(this.#policy.observer, "closed", this, reason);
    this.#call(() => this.onState?.("closed", this));
  }

  /** How it ends. */
  get #outcome(): Outcome {
    return this.#madeOutcome ??= new Outcome();
  }

  /** Those who wait for the outbound buffer. */
  get #room(): Room {
    return this.#madeRoom ??= new Room(this.#policy.maxOutboundBytes);
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
