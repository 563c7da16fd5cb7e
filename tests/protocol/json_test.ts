import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { frames } from "../../lib/protocol/frames.ts";
import { json } from "../../lib/protocol/json.ts";
import { lines } from "../../lib/protocol/lines.ts";
import type { Offer, Protocol, Wire, WireEvents } from "../../lib/protocol/protocol.ts";
import { raw } from "../../lib/protocol/raw.ts";
import { text } from "../support/feed.ts";

const OFFER: Offer = { sendEvery: 0, hearEvery: 0, minPingGap: 0 };

/** Events of values only, and which others came. */
function ear<T>(): WireEvents<T> & { readonly values: T[]; readonly others: string[] } {
  const values: T[] = [], others: string[] = [];
  return {
    values,
    others,
    message: (value) => void values.push(value),
    ping: () => void others.push("ping"),
    pong: (_nonce, asked) => void others.push(`pong ${asked}`),
    hello: ({ maxMessageBytes }) => void others.push(`hello ${maxMessageBytes}`),
    acked: (count) => void others.push(`ack ${count}`),
    draining: ({ to }) => void others.push(`drain ${to}`),
    farewell: ({ text }) => void others.push(`close ${text}`),
  };
}

const line = <T>(wire: Wire<T>, content: string, events: WireEvents<T>) =>
  wire.receive(text(`${content}\n`), events);

test("json() carries values as text over any protocol that carries text", () => {
  for (const over of [frames(), lines()] as Protocol<string>[]) {
    const protocol = json({ over }), client = protocol.open("client"), server = protocol.open("server");
    const heard = ear<unknown>();
    if (client.greet) {
      server.receive(client.greet(OFFER), heard);
      server.greet!(OFFER);
    }
    const values = [{ a: [1, null, "\n\u2028"] }, "text", 0, false, null, [], 1e300];
    for (const value of values) server.receive(client.encode(value) as Uint8Array, heard);
    assertEquals(heard.values, values);
    assertStrictEquals(protocol.name, `json over ${over.name}`);
    assertStrictEquals(protocol.answersPings, over.answersPings);
    assertStrictEquals(protocol.greets, over.greets ?? false);
  }
});

test("json() goes over frames() unless told otherwise, and keeps their key", () => {
  assertStrictEquals(json().name, "json over frames");
  const key = new Uint8Array(16);
  assertEquals(json({ over: frames({ key }) }).key, key);
});

test("json() passes everything on that is no message", () => {
  const protocol = json({ over: frames({ maxMessageBytes: 5 }) });
  const client = protocol.open("client"), server = protocol.open("server"), heard = ear<unknown>();
  const nonces: Uint8Array[] = [];
  server.receive(client.greet!(OFFER), heard);
  client.receive(server.greet!(OFFER), { ...heard, hello() {}, ping: (nonce) => void nonces.push(nonce!) });
  client.receive(server.ping!(), { ...heard, ping: (nonce) => void nonces.push(nonce!) });
  server.receive(client.ping!(), heard);
  server.receive(client.pong!(nonces[0]), heard);
  server.receive(client.ack!(7), heard);
  server.receive(client.drain!({ within: 1, retryAfter: 2, to: "there:1" }), heard);
  assertEquals([...client.challenge!(nonces[0]!, "us")], [...server.challenge!(nonces[0]!, "them")]);
  server.receive((client.encode(12) as Uint8Array).subarray(0, 4), heard);
  assertStrictEquals(server.unfinished, 4);
  server.receive((client.encode(12) as Uint8Array).subarray(4), heard);
  server.receive(client.goodbye!({ code: 0, text: "bye", retryAfter: 0 }), heard);
  assertEquals(heard.others, ["hello 5", "ping", "pong true", "ack 7", "drain there:1", "close bye"]);
  assertEquals(heard.values, [12]);
});

test("json() tells its carrier of the end, which may have held a value back", () => {
  const wire = json({ over: lines() }).open(), heard = ear<unknown>();
  wire.receive(text("[1]\n[2]"), heard);
  wire.end(heard);
  assertEquals(heard.values, [[1], [2]]);
});

test("json() can do what its carrier can, and no more", () => {
  const over = lines(), wire = json({ over }).open(), carrier = over.open();
  for (
    const name of ["ping", "pong", "challenge", "goodbye", "greet", "ack", "drain"] as const
  ) {
    assertStrictEquals(wire[name] === undefined, carrier[name] === undefined, name);
  }
});

test("json() takes nothing that is not JSON", () => {
  const wire = json({ over: lines() }).open();
  for (const bad of ["", "{", "undefined", "01", "'a'", "NaN"]) {
    assertThrows(() => line(wire, bad, ear()), ProtocolError, "A message must be valid: ");
  }
});

test("json() takes no bytes", () => {
  const { open } = json(), client = frames().open("client"), server = open("server"), heard = ear<unknown>();
  server.receive(client.greet!(OFFER), heard);
  server.greet!(OFFER);
  const bytes = client.encode(text("1")) as Uint8Array;
  assertThrows(
    () => server.receive(bytes, heard),
    ProtocolError,
    "A JSON value must come as text: bytes came",
  );
  const overRaw = json({ over: raw() as unknown as Protocol<Uint8Array | string> }).open();
  assertThrows(() => overRaw.receive(text("1"), heard), ProtocolError, "must come as text");
  assertEquals(heard.values, []);
});

test("json() gives what the validator returns", () => {
  const protocol = json({ over: lines(), validate: (value) => new Date(String(value)) });
  const heard = ear<Date>();
  line(protocol.open(), '"2001-02-03"', heard);
  assertInstanceOf(heard.values[0], Date);
  assertStrictEquals(heard.values[0].getUTCFullYear(), 2001);
});

test("a validator that throws is the peer's doing, and what it threw is the cause", () => {
  const thrown = new RangeError("It must be even");
  const even = (value: unknown): number => {
    if (typeof value === "number" && value % 2 === 0) return value;
    throw thrown;
  };
  const wire = json({ over: lines(), validate: even }).open(), heard = ear<number>();
  line(wire, "2", heard);
  const error = assertThrows(
    () => line(wire, "3", heard),
    ProtocolError,
    "A message must be valid: It must be even",
  );
  assertStrictEquals((error as Error).cause, thrown);
  assertEquals(heard.values, [2]);
});

test("a validator may throw anything", () => {
  for (const thrown of [undefined, null, "a word", 0, Symbol("s"), {}]) {
    const protocol = json({
      over: lines(),
      validate: () => {
        throw thrown;
      },
    });
    const error = assertThrows(
      () => line(protocol.open(), "1", ear()),
      ProtocolError,
      "A message must be valid",
    );
    assertStrictEquals((error as Error).cause, thrown);
  }
});

test("what the owner throws is not the peer's doing", () => {
  const wire = json({ over: lines() }).open(), failure = new Error("a bug of the owner's");
  const events = {
    ...ear<unknown>(),
    message: () => {
      throw failure;
    },
  };
  const error = assertThrows(() => line(wire, "1", events), Error, "a bug of the owner's");
  assertStrictEquals(error, failure);
});

test("json() sends nothing that is no JSON value", () => {
  const wire = json({ over: lines() }).open();
  assertThrows(() => wire.encode(undefined), TypeError, "must be a JSON value: current one is undefined");
  assertThrows(() => wire.encode(() => 1), TypeError, "must be a JSON value");
  assertThrows(() => wire.encode(Symbol("s")), TypeError, "current one is Symbol(s)");
  assertThrows(() => wire.encode(1n), TypeError);
});

test("json() keeps the carrier's bound, in bytes of text", () => {
  const { open } = json({ over: frames({ maxMessageBytes: 10 }) });
  const client = json().open("client"), server = open("server"), heard = ear<unknown>();
  server.receive(client.greet!(OFFER), heard);
  client.receive(server.greet!(OFFER), heard);
  assert(client.encode("12345678") instanceof Uint8Array);
  assertThrows(() => client.encode("123456789"), RangeError, "messages of <= 10 bytes: current length is 11");
});
