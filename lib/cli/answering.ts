/**
 * A client's answer to heartbeats in a stream of raw bytes.
 *
 * A server that drops silent peers must hear from a client that has nothing to say, so each heartbeat is answered
 * with one. But a token that is glued to data is data to a server which takes only whole chunks for heartbeats; and
 * data on its way proves us alive as well. So no answer goes out while there is any.
 *
 * @module
 */

import type { Protocol } from "../protocol/protocol.ts";

/** How long after it was sent data may still wait to be read by the peer, in milliseconds. */
const IN_FLIGHT = 200;

const NOTHING = new Uint8Array(0);

/**
 * Gives a protocol that has a ping and no pong its pong: the ping.
 *
 * @param waiting Says whether data waits to be sent.
 * @param now The present instant, in milliseconds.
 */
export function answering<In, Out>(
  protocol: Protocol<In, Out>,
  waiting: () => boolean,
  now: () => number = () => performance.now(),
): Protocol<In, Out> {
  return {
    name: protocol.name,
    answersPings: protocol.answersPings,
    open() {
      const wire = protocol.open();
      let sentAt = -Infinity;
      return {
        get unfinished() {
          return wire.unfinished;
        },
        receive: (chunk, events) => wire.receive(chunk, events),
        end: (events) => wire.end(events),
        encode(message) {
          sentAt = now();
          return wire.encode(message);
        },
        ping: () => wire.ping!(),
        pong: () => waiting() || now() < sentAt + IN_FLIGHT ? NOTHING : wire.ping!(),
      };
    },
  };
}
