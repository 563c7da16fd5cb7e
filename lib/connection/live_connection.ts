/**
 * The connection as it really is: a {@linkcode Lifeline} below, an {@linkcode Inbox} above, and between them the
 * states, the back-pressure and the one close reason.
 *
 * @module
 */

import { closeReason, originOf } from "./close_reason.ts";
import type { ConnectionPolicy } from "./policy.ts";
import type {
  Connection,
  ConnectionHeartbeat,
  ConnectionState,
  ConnectionStats,
  OnMessage,
} from "../connection.ts";
import { type CloseReason, ConnectionError, type ConnectionErrorCode, type ErrorOrigin } from "../errors.ts";
import { ACCEPTED, Inbox, type InboxOwner } from "./inbox.ts";
import { heartbeatOf } from "./heartbeat_handle.ts";
import { Lifeline } from "./lifeline.ts";
import type { BreakCode, LifelineOwner } from "./lifeline_owner.ts";
import type { RoundTripTimes } from "../liveness/rtt.ts";
import { type Happening, tell } from "../observer.ts";
import { newRoom, type Room } from "./room.ts";
import type { Address, Socket } from "../transport/transport.ts";

/** Whoever keeps a list of connections. */
export interface ConnectionKeeper<In, Out> {
  /** The connection has ended. Called once. */
  ended(connection: LiveConnection<In, Out>, reason: CloseReason): void;
  /** Something was noticed of a connection. */
  noticed?(what: Happening): void;
}

let lastId = 0;

/** See {@linkcode Connection}. */
export class LiveConnection<In, Out> implements Connection<In, Out>, LifelineOwner<In>, InboxOwner<In> {
  readonly id: number = ++lastId;
  readonly #policy: ConnectionPolicy<In, Out>;
  readonly #line: Lifeline<In, Out>;
  readonly #inbox: Inbox<In>;
  readonly #keeper: ConnectionKeeper<In, Out>;
  readonly #openedAt: number;
  #state: ConnectionState = "open";
  #onMessage: OnMessage<In, Out> | undefined;
  onHealth: Connection<In, Out>["onHealth"];
  #messagesSent = 0;
  #room: Room | undefined;
  /** A handler's promise decides when this closes, not the end of the messages. */
  #scoped = false;
  /** It has lived as long as it may. */
  #aged = false;
  #peerEnded = false;
  /** We will send no more. */
  #finished = false;
  /** We began the goodbye before the peer did. */
  #closedFirst = false;
  #reason: CloseReason | undefined;
  // Made when first asked for: most connections never are.
  #closed: { readonly promise: Promise<CloseReason>; resolve(reason: CloseReason): void } | undefined;
  #controller: AbortController | undefined;
  #heartbeat: ConnectionHeartbeat | undefined;

  /** Takes over a socket that nobody has started. Call {@linkcode start} next. */
  constructor(socket: Socket, policy: ConnectionPolicy<In, Out>, keeper: ConnectionKeeper<In, Out>) {
    this.#policy = policy;
    this.#keeper = keeper;
    this.#inbox = new Inbox(this, policy.maxInboundBytes);
    this.#line = new Lifeline(socket, policy, this);
    this.#openedAt = this.#line.watch.messageAt;
  }

  /** Starts delivery and the clocks. */
  start(): void {
    tell(this.#policy.observer, "opened", this);
    this.#line.start();
  }

  get localAddress(): Address {
    return this.#line.socket.localAddress;
  }

  get remoteAddress(): Address {
    return this.#line.socket.remoteAddress;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get health(): "healthy" | "suspect" {
    return this.#line.watch.heartbeat.suspect ? "suspect" : "healthy";
  }

  get lastHeardAt(): number {
    return this.#line.watch.heartbeat.heardAt;
  }

  get lastSentAt(): number {
    return this.#line.watch.heartbeat.sentAt;
  }

  get rtt(): RoundTripTimes | undefined {
    return this.#line.watch.heartbeat.roundTrip.times;
  }

  get bufferedAmount(): number {
    return this.#line.bufferedAmount;
  }

  get heartbeat(): ConnectionHeartbeat {
    return this.#heartbeat ??= heartbeatOf(this.#line, this.#policy.protocol.answersPings);
  }

  get closed(): Promise<CloseReason> {
    if (this.#closed === undefined) {
      let resolve!: (reason: CloseReason) => void;
      const promise = new Promise<CloseReason>((done) => resolve = done);
      this.#closed = { promise, resolve };
      if (this.#reason !== undefined) resolve(this.#reason);
    }
    return this.#closed.promise;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get onMessage(): OnMessage<In, Out> | undefined {
    return this.#onMessage;
  }

  set onMessage(callback: OnMessage<In, Out> | undefined) {
    this.#onMessage = callback;
    this.#inbox.receiver = callback && ((message) => callback(message, this));
  }

  send(message: Out): Promise<void> {
    if (this.#finished || (this.#state !== "open" && this.#state !== "draining")) return this.#refused();
    const buffered = this.#line.bufferedAmount;
    if (buffered > this.#policy.maxOutboundBytes) {
      this.#end("write-overflow", "local");
      return this.#refused();
    }
    this.#line.send(message);
    this.#messagesSent++;
    if (this.#line.bufferedAmount * 4 <= this.#policy.maxOutboundBytes) return ACCEPTED;
    return (this.#room ??= newRoom()).promise;
  }

  finish(): void {
    if (this.#finished || this.#state === "closing" || this.#state === "closed") return;
    this.#finished = true;
    this.#closedFirst = !this.#peerEnded;
    this.#line.finish();
  }

  async close(): Promise<void> {
    this.#close();
    await this.closed;
  }

  abort(reason?: unknown): void {
    if (this.#state === "closed") return;
    this.#inbox.clear();
    this.#end("aborted", "local", reason);
  }

  async drain(): Promise<void> {
    this.leave(0);
    await this.closed;
  }

  /** Begins to drain, `delay` ms from now. */
  leave(delay: number): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.#line.drain(delay);
  }

  probe(): Promise<number> {
    return this.#state === "closed" ? this.#refused() : this.#line.probe();
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
    if (this.#state === "open" || this.#state === "draining") this.#inbox.push(message, size);
  }

  ended(): void {
    this.#peerEnded = true;
    this.#inbox.end();
  }

  written(): void {
    const room = this.#room;
    if (room === undefined || this.#line.bufferedAmount * 8 > this.#policy.maxOutboundBytes) return;
    this.#room = undefined;
    room.resolve();
  }

  quiet(): void {
    if (this.#state !== "draining") return;
    if (this.#inbox.idle && this.bufferedAmount === 0) this.#inbox.end();
    else this.#line.drain();
  }

  noticed(what: Happening, fact?: number): void {
    const { observer } = this.#policy;
    this.#keeper.noticed?.(what);
    if (what === "answered") tell(observer, what, this, this.rtt?.latest);
    else if (what === "paused") tell(observer, what, this, fact!);
    else tell(observer, what, this);
    if (what === "suspect" || what === "healthy") this.#tellHealth(what);
  }

  aged(): void {
    this.#aged = true;
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

  full(full: boolean): void {
    this.#line.hold(full);
  }

  emptied(): void {
    if (!this.#scoped && this.#onMessage !== undefined) this.#close();
  }

  failed(error: unknown): void {
    if (this.#state === "closed") return;
    this.#inbox.clear();
    this.#end("handler-failed", "local", error);
  }

  #close(): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    if (!this.#finished) this.#closedFirst = !this.#peerEnded;
    this.#state = "closing";
    // What is still to come is read and thrown away: unread bytes would turn our FIN into a reset, which takes the
    // answers with it that are under way.
    this.#inbox.end();
    this.#inbox.clear();
    this.#line.part();
  }

  #end(code: ConnectionErrorCode, origin: ErrorOrigin, cause?: unknown): void {
    if (this.#state === "closed") return;
    const { heartbeat } = this.#line.watch;
    const reason = closeReason(code, origin, {
      lastHeardAt: heartbeat.heardAt,
      lastSentAt: heartbeat.sentAt,
      endedAt: this.#policy.clock.now(),
      rtt: this.rtt?.latest,
      bufferedAmount: this.bufferedAmount,
      pauseSeen: (this.#policy.wheel.pause?.end ?? -Infinity) > this.#openedAt,
    }, cause);
    if (code !== "closed") tell(this.#policy.observer, "verdict", this, reason);
    this.#state = "closed";
    this.#reason = reason;
    this.#line.abort();
    this.#line.pulse.end(reason);
    this.#inbox.end(code === "closed" ? undefined : reason);
    this.#room?.reject(reason);
    this.#room = undefined;
    this.#closed?.resolve(reason);
    this.#controller?.abort(reason);
    this.#keeper.ended(this, reason);
    tell(this.#policy.observer, "closed", this, reason);
  }

  #tellHealth(health: "suspect" | "healthy"): void {
    try {
      this.onHealth?.(health, this);
    } catch (error) {
      this.failed(error);
    }
  }

  #refused(): Promise<never> {
    const refused = Promise.reject(
      this.#reason ??
        new ConnectionError("closed", "Cannot send as the connection has finished sending", {
          origin: "local",
        }),
    );
    refused.catch(() => {});
    return refused;
  }
}
