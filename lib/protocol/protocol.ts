/**
 * The contract of a protocol: bytes become events, messages become bytes.
 *
 * A protocol does no I/O, knows no time and makes no promise (sans-IO), so the same code runs under any
 * transport, in a test and in a fuzzer. {@linkcode Protocol} is the configured whole; it makes one
 * {@linkcode Wire} for each connection, which holds the state of that connection's bytes.
 *
 * @module
 */

/** A wire format. `In` is what arrives, `Out` what is sent. */
export interface Protocol<In, Out = In> {
  /** Short name for messages, as `"raw"`. */
  readonly name: string;
  /**
   * Whether a peer that keeps to the protocol answers a ping. Without that nobody can tell a silent peer from a dead
   * one, so by default none is given up for its silence.
   */
  readonly answersPings: boolean;
  /** Starts one connection's state. */
  open(): Wire<In, Out>;
}

/**
 * One connection's bytes.
 *
 * The methods that are absent say what the protocol cannot do: without {@linkcode Wire.ping} it has no probe,
 * without {@linkcode Wire.pong} pings are not answered.
 */
export interface Wire<In, Out = In> {
  /**
   * Bytes of a message that has begun and has not ended. A connection gives such a message a deadline.
   * Always `0` where the protocol has no messages.
   */
  readonly unfinished: number;
  /**
   * Takes a chunk and reports what it holds, in order. The chunk is borrowed: what is kept beyond the
   * call is copied.
   *
   * @throws {ProtocolError} If the peer broke the rules. The connection then ends.
   */
  receive(chunk: Uint8Array, events: WireEvents<In>): void;
  /** The peer will send no more: reports what was held back. May throw as {@linkcode receive} does. */
  end(events: WireEvents<In>): void;
  /**
   * The bytes of `message`. They may be the message itself: no copy is made of what need not be.
   *
   * @throws {TypeError | RangeError} If the message cannot be sent by this protocol.
   */
  encode(message: Out): Uint8Array;
  /** Bytes that ask the peer for a sign of life. The same array may be given each time. */
  ping?(): Uint8Array;
  /** Bytes that answer a ping. `payload` is what {@linkcode WireEvents.ping} gave. */
  pong?(payload: Uint8Array | undefined): Uint8Array;
  /** Last bytes before an orderly end. */
  goodbye?(): Uint8Array;
}

/** What a chunk held. */
export interface WireEvents<In> {
  /**
   * A message. If it is a `Uint8Array` it may be borrowed, as the chunk is.
   *
   * @param size Bytes that it counts for in the bound of the inbound buffer.
   */
  message(message: In, size: number): void;
  /** A ping, which wants an answer if the protocol has one. */
  ping(payload?: Uint8Array): void;
  /** An answer to a ping. A pong that answers none of ours proves nothing. */
  pong(payload?: Uint8Array): void;
}
