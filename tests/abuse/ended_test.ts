import { test } from "node:test";
import { assertEquals, assertLessOrEqual } from "@std/assert";
import type { Protocol, WireEvents } from "../../lib/protocol/protocol.ts";
import { live } from "../support/live.ts";

/** Of each byte a message, a ping or a pong; counts how many it has made. */
function counted(make: (events: WireEvents<string>) => void) {
  const counts = { made: 0 };
  const protocol: Protocol<string> = {
    name: "counted",
    answersPings: true,
    open: () => ({
      unfinished: 0,
      receive(chunk, events) {
        for (let i = 0; i < chunk.length; i++) {
          counts.made++;
          make(events);
        }
      },
      end() {},
      encode: () => new Uint8Array(1),
      ping: () => Uint8Array.of(1),
      pong: () => Uint8Array.of(2),
    }),
  };
  return { counts, protocol };
}

const CHUNK = 10_000;

// A chunk of 512 KiB may hold half a million messages: to decode them for nobody took 200 ms of everybody's time.
for (
  const [what, make, code] of [
    ["messages", (events: WireEvents<string>) => events.message("", 0), "too-many-messages"],
    ["pings", (events: WireEvents<string>) => events.ping(), "too-many-pings"],
  ] as const
) {
  test(`the rest of a chunk is not decoded once its connection has ended for too many ${what}`, () => {
    const { counts, protocol } = counted(make);
    const { socket, ends } = live({ protocol, minPingGap: 1_000, messageRate: { perSecond: 5, burst: 5 } });
    socket.handler!.data(new Uint8Array(CHUNK));
    assertEquals(ends.map(({ code }) => code), [code]);
    assertLessOrEqual(counts.made, 10);
  });
}

test("the rest of a chunk is not decoded once the application has ended the connection", () => {
  const { counts, protocol } = counted((events) => events.message("", 0));
  const { socket, connection, ends } = live({ protocol });
  connection.onMessage = () => connection.abort(new Error("enough"));
  socket.handler!.data(new Uint8Array(CHUNK));
  assertEquals(ends.map(({ code }) => code), ["aborted"]);
  assertLessOrEqual(counts.made, 2);
});
