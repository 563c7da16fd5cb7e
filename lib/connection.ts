/**
 * A socket kept alive: messages, heartbeat, close reason, signal. What an application holds in its hands.
 *
 * @module
 */

import type { CloseReason, Farewell } from "./errors.ts";
import type { HeartbeatOptions } from "./liveness/heartbeat_policy.ts";
import type { RoundTripTimes } from "./liveness/rtt.ts";
import type { RateOptions } from "./liveness/rate.ts";
import type { Observer } from "./observer.ts";
import type { DrainNotice, Hello, Protocol } from "./protocol/protocol.ts";
import type { Clock } from "./time/clock.ts";
import type { Address, TcpKeepAlive, TlsInfo, Transport } from "./transport/transport.ts";

/**
 * Where a connection is in its life. It only ever moves down this list; only one that comes back by itself moves between
 * `open` and `away`.
 *
 * | state | messages in | messages out | left by |
 * |---|---|---|---|
 * | `open` | yes | yes | `drain()`, `close()`, `abort()`, an error |
 * | `away` | no | kept, or refused: see {@linkcode ReconnectOptions} | coming back, `close()`, `abort()`, giving up |
 * | `draining` | until a quiet moment | yes | the quiet moment, `close()`, `abort()`, an error |
 * | `closing` | thrown away | what was accepted | both ends have finished, or an error |
 * | `closed` | what had come before | no | |
 */
export type ConnectionState = "open" | "away" | "draining" | "closing" | "closed";

/** Takes one message. A promise holds further messages back until it settles, and in the end the peer too. */
export type OnMessage<In, Out> = (message: In, connection: Connection<In, Out>) => unknown;

/** What a connection has counted since it opened. */
export interface ConnectionStats {
  /** Bytes from the peer, heartbeats and all. */
  readonly bytesReceived: number;
  /** Bytes handed to the socket, heartbeats and all. */
  readonly bytesSent: number;
  /** Messages from the peer. */
  readonly messagesReceived: number;
  /** Messages accepted by `send()`. */
  readonly messagesSent: number;
  /** Times the peer was asked for a sign of life because it had been silent. */
  readonly probesSent: number;
  /** Heartbeats and probes sent. */
  readonly beatsSent: number;
  /** Heartbeats and pings received. */
  readonly beatsReceived: number;
  /** Pongs received, asked for or not. */
  readonly pongsReceived: number;
}

/** The heartbeat of one connection, changeable while it runs. */
export interface ConnectionHeartbeat {
  /** The interval in force, in milliseconds: where it is learned, what has been learned so far. */
  readonly interval: number;
  /** The timeout in force, in milliseconds: where it is adaptive, what the round trips make of it now. */
  readonly timeout: number;
  /** See {@linkcode HeartbeatOptions.sendEvery}. */
  readonly sendEvery: number;
  /** See {@linkcode HeartbeatOptions.steady}. */
  readonly steady: boolean;
  /**
   * Puts other rules in force from now on. What is not given stays as it is.
   *
   * @throws {RangeError} If a duration is not > 0.
   */
  update(options: HeartbeatOptions): void;
}

/**
 * A socket kept alive.
 *
 * Messages are taken either by a callback ({@linkcode onMessage}) or by `for await`. A connection ends once, for
 * one reason, which {@linkcode closed} and {@linkcode signal} tell alike.
 */
export interface Connection<In = Uint8Array, Out = In> extends AsyncIterable<In>, AsyncDisposable {
  /** Number of this connection, unique in this process. */
  readonly id: number;
  /** This end. */
  readonly localAddress: Address;
  /** The peer's end. */
  readonly remoteAddress: Address;
  /** What TLS's handshake brought; `undefined` without TLS. */
  readonly tls: TlsInfo | undefined;
  /** See {@linkcode ConnectionState}. */
  readonly state: ConnectionState;
  /** `suspect` once the peer has been asked for a sign of life and has given none yet. */
  readonly health: "healthy" | "suspect";
  /** Instant of the last byte from the peer, in milliseconds of the connection's clock. */
  readonly lastHeardAt: number;
  /** Instant of the last byte handed to the socket, in milliseconds of the connection's clock. */
  readonly lastSentAt: number;
  /** Round trips of pings, in milliseconds; `undefined` before the first, and without pongs for ever. */
  readonly rtt: RoundTripTimes | undefined;
  /** Bytes accepted by {@linkcode send} and not yet with the kernel. */
  readonly bufferedAmount: number;
  /** The heartbeat's rules, and how to change them. */
  readonly heartbeat: ConnectionHeartbeat;
  /** Fulfilled with the reason once the connection has ended. Never rejected. */
  readonly closed: Promise<CloseReason>;
  /** Aborted, with the same reason, when the connection ends. */
  readonly signal: AbortSignal;
  /**
   * Takes the messages by a callback, what has come already first. In this form bytes may be *borrowed*: they
   * are the callback's, to read and to change, until it returns, and may be sent on before that. If it returns a
   * promise they are its own for good; otherwise copy what is needed later (`new Uint8Array(bytes)`). Bytes of one's own, here or
   * from `for await`, may lie in a larger buffer with others: a copy of what is kept for long lets go of that. A callback that
   * throws, or whose promise is rejected, aborts the connection with `handler-failed`. Once the peer has sent all it will, and
   * the last callback has settled, the connection closes by itself.
   */
  onMessage: OnMessage<In, Out> | undefined;
  /**
   * Called when {@linkcode health} changes. What this, {@linkcode onState} or {@linkcode onDrain} throws ends the connection
   * with `handler-failed`. What they, or a handler, throw once it has ended is told to the server's `onError`; that of a
   * client surfaces as an error that nobody caught.
   */
  onHealth: ((health: "healthy" | "suspect", connection: Connection<In, Out>) => void) | undefined;
  /** Called when {@linkcode state} changes. */
  onState: ((state: ConnectionState, connection: Connection<In, Out>) => void) | undefined;
  /** Called when the peer wants us to go elsewhere, where the protocol can say so. */
  onDrain: ((notice: DrainNotice, connection: Connection<In, Out>) => void) | undefined;
  /** What the peer told when it greeted; `undefined` where the protocol does not greet. */
  readonly hello: Hello | undefined;
  /**
   * Sends a message. Fulfilled when it was accepted, at once while little is buffered; waits while more than a quarter
   * of `maxOutboundBytes` is. Bytes are the connection's from then on: do not change them. A caller that does not wait
   * may go on until `maxOutboundBytes` are buffered; the next message ends the connection with `write-overflow`, so
   * that a peer which does not read costs bounded memory.
   *
   * Rejected with the close reason if the connection has ended; the rejection may be ignored. While a session goes over to
   * another process nobody waits: what is beyond `maxOutboundBytes` then is refused, and the session goes on.
   *
   * @throws {TypeError | RangeError} If the protocol cannot send this message.
   */
  send(message: Out): Promise<void>;
  /**
   * Sends no more: what was accepted goes, and then FIN. Messages still arrive, and the connection ends when the peer
   * has finished too. For a peer that answers once it has everything.
   */
  finish(): void;
  /**
   * Ends in good order: takes no more messages either way, sends what was accepted and then FIN, waits for the peer to
   * finish too. Fulfilled when it is over.
   *
   * @param farewell What to tell the peer, where the protocol greets: a code from 4000 to 4999, a text, when to come back.
   * @throws {TypeError | RangeError} (as a rejection) If the farewell cannot be said. Otherwise it is never rejected.
   */
  close(farewell?: Partial<Farewell>): Promise<void>;
  /** Ends now, whatever is under way. `reason` becomes the `cause` of the close reason. */
  abort(reason?: unknown): void;
  /**
   * Ends in good order once nothing is under way any more: goes on answering until neither side has sent anything for
   * a moment (200 ms), then closes. Fulfilled when it is over; never rejected.
   */
  drain(): Promise<void>;
  /**
   * Asks the peer for a sign of life at once, whatever was heard when: for hooks that run when a laptop wakes up or the
   * network changes. Fulfilled with the round trip in milliseconds; those who ask while an answer is still out share
   * it. Rejected with the close reason if none comes within the heartbeat's timeout.
   *
   * @throws {TypeError} (as a rejection) If the protocol has no ping.
   */
  probe(): Promise<number>;
  /**
   * Waits until what was sent has arrived as far as can be told: in a session, until the peer has acknowledged all of it;
   * otherwise, until it is with the kernel. Rejected with the close reason if the connection ends first.
   */
  flush(): Promise<void>;
  /**
   * For hooks that run when a laptop wakes up or the network changes: a connection that is away dials at once, without
   * the rest of its delay; one that is open is left alone: see {@linkcode probe}.
   *
   * @throws {TypeError} If the connection was not made with `reconnect`.
   */
  reconnectNow(): void;
  /** What was counted so far. */
  stats(): ConnectionStats;
  /** Keeps the process alive while this connection is open, as at the start. */
  ref(): void;
  /** Lets the process end although this connection is open. */
  unref(): void;
}

/** What servers and clients have in common. Durations are in milliseconds, `Infinity` for never; sizes in bytes. */
export interface ConnectionOptions<In, Out> {
  /** The wire format. @default {raw()} */
  readonly protocol?: Protocol<In, Out> | undefined;
  /** When to ask a silent peer, when to give it up, what we owe; `false` for none of it. */
  readonly heartbeat?: HeartbeatOptions | false | undefined;
  /**
   * How long bytes may wait to be sent while the peer takes none, before `write-stalled`.
   *
   * @default {30_000} or `heartbeat.interval + heartbeat.timeout` if that is less: a peer that takes nothing is not
   * given longer than one that says nothing
   */
  readonly writeTimeout?: number | undefined;
  /** How long no message may pass, either way, before `idle-timeout`. Heartbeats do not count. @default {Infinity} */
  readonly idleTimeout?: number | undefined;
  /** How long a peer may stay without sending its first byte, before `first-byte-timeout`. @default {Infinity} */
  readonly firstByteTimeout?: number | undefined;
  /**
   * How long a message may take from its first byte to its last, before `frame-timeout`; longer only while it flows at
   * 1 KiB/s or more.
   *
   * @default {30_000}
   */
  readonly frameTimeout?: number | undefined;
  /**
   * How long a connection may live, ± 10 % so that those which opened together do not end together. Then it is drained
   * and ends with `max-age`. Behind a load balancer this lets connections find new servers.
   *
   * @default {Infinity}
   */
  readonly maxAge?: number | undefined;
  /** How long that drain may take. No traffic puts it off. @default {15_000} */
  readonly maxAgeGrace?: number | undefined;
  /** How long the peer may take to greet, where the protocol does, before `handshake-timeout`. @default {5_000} */
  readonly handshakeTimeout?: number | undefined;
  /** How often the peer may send a message, before `too-many-messages`. @default no limit */
  readonly messageRate?: RateOptions | undefined;
  /** Told of what happens, for metrics and logs. */
  readonly observer?: Observer | undefined;
  /** How long the peer may take to finish after we have, before `close-timeout`. @default {5_000} */
  readonly closeTimeout?: number | undefined;
  /**
   * Least time between two pings of the peer. One that comes more than 10 % early is a strike, data that we send takes
   * the strikes back, the third is `too-many-pings`. `0` for no guard. Only where the protocol answers pings.
   *
   * @default {1_000} for servers, or half of our own `heartbeat.interval` if that is less: a peer with the same settings
   * must pass; `0` for clients
   */
  readonly minPingGap?: number | undefined;
  /** Bytes that may wait for the application before reading stops. @default {1_048_576} */
  readonly maxInboundBytes?: number | undefined;
  /** Bytes that may wait to be sent; see {@linkcode Connection.send}. @default {4_194_304} */
  readonly maxOutboundBytes?: number | undefined;
  /** Send small writes at once (`TCP_NODELAY`). @default {true} */
  readonly tcpNoDelay?: boolean | undefined;
  /** The kernel's own probes. Refused where the runtime cannot. @default {false} */
  readonly tcpKeepAlive?: TcpKeepAlive | undefined;
  /** Ends everything at once, with its reason as the cause. */
  readonly signal?: AbortSignal | undefined;
  /** The sockets to use. @default the runtime's own */
  readonly transport?: Transport | undefined;
  /** Time and chance; for tests. @default {systemClock} */
  readonly clock?: Clock | undefined;
}
