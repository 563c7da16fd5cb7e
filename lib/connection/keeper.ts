/**
 * Whoever keeps connections: a server its list, a client the one that it dialled, a session the one that carries it.
 *
 * @module
 */

import type { Connection } from "../connection.ts";
import type { CloseReason, Farewell } from "../errors.ts";
import type { Happening } from "../observer.ts";
import type { DrainNotice, Hello } from "../protocol/protocol.ts";
import type { LiveConnection } from "./live_connection.ts";

/** What a connection tells whoever keeps it. */
export interface ConnectionKeeper<In, Out> {
  /** The connection has ended. Called once. */
  ended(connection: LiveConnection<In, Out>, reason: CloseReason): void;
  /** A handler failed while nothing carried its connection, or once that had ended: {@linkcode ended} will not tell. */
  handlerFailed?(error: unknown, connection: Connection<In, Out>): void;
  /** Something was noticed of a connection. */
  noticed?(what: Happening, connection: LiveConnection<In, Out>): void;
  /** A client has greeted: {@linkcode LiveConnection.greet} answers it, which happens at once where this is absent. */
  asked?(connection: LiveConnection<In, Out>, hello: Hello): void;
  /** Both have greeted: the connection may be used. */
  greeted?(connection: LiveConnection<In, Out>, hello: Hello): void;
  /** The peer has received the first `count` messages of the session. */
  acked?(connection: LiveConnection<In, Out>, count: number): void;
  /** The peer wants us to go elsewhere. */
  draining?(connection: LiveConnection<In, Out>, notice: DrainNotice): void;
  /** The peer will send no more. Where this is absent the messages just end. */
  peerEnded?(connection: LiveConnection<In, Out>, farewell: Farewell | undefined): void;
  /** A drain found nothing under way. Where this is absent the messages end, unless some still wait. */
  quiet?(connection: LiveConnection<In, Out>): void;
  /** Some of what waited was sent. */
  written?(connection: LiveConnection<In, Out>): void;
}

/** Where messages go. */
export interface MessageSink<In> {
  /** Takes a message, which may be borrowed. */
  push(message: In, size: number): void;
}
