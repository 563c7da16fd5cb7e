/**
 * How a client answers heartbeats.
 *
 * @module
 */

import { test } from "node:test";
import { assertStrictEquals } from "@std/assert";
import { answering } from "../../lib/cli/answering.ts";
import { raw } from "../../lib/protocol/raw.ts";

const TOKEN = "heartbeat";

test("answering() answers a heartbeat with a heartbeat", () => {
  const wire = answering(raw({ token: TOKEN }), () => false).open();
  assertStrictEquals(new TextDecoder().decode(wire.pong!(undefined)), TOKEN);
});

test("answering() is silent while data waits, and for 200 ms after it was sent", () => {
  let waiting = true, now = 1000;
  const wire = answering(raw({ token: TOKEN }), () => waiting, () => now).open();
  const answer = () => wire.pong!(undefined).length;
  assertStrictEquals(answer(), 0);
  waiting = false;
  assertStrictEquals(answer(), TOKEN.length);
  wire.encode("data");
  now += 199;
  assertStrictEquals(answer(), 0);
  now += 1;
  assertStrictEquals(answer(), TOKEN.length);
});

test("answering() leaves the protocol as it is otherwise", () => {
  const wire = answering(raw({ token: TOKEN, match: "anywhere" }), () => false).open();
  const seen: string[] = [];
  const events = {
    message: (bytes: Uint8Array) => void seen.push(new TextDecoder().decode(bytes)),
    ping: () => void seen.push("<ping>"),
    pong: () => void seen.push("<pong>"),
  };
  wire.receive(new TextEncoder().encode("aheartbeatbheart"), events);
  wire.end(events);
  assertStrictEquals(seen.join(" "), "a <ping> b heart");
  assertStrictEquals(wire.unfinished, 0);
});
