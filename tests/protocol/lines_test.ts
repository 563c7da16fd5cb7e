import { test } from "node:test";
import fc from "fast-check";
import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { lines, type LinesOptions } from "../../lib/protocol/lines.ts";
import { feed, splitAt, text } from "../support/feed.ts";

const of = (options: LinesOptions, ...chunks: string[]) => feed(lines(options).open(), chunks.map(text));

test("lines() splits at LF, and takes a CR before it off", () => {
  assertEquals(of({}, "a\nb\r\n\nc\n"), ["a", "b", "", "c"]);
  assertEquals(of({}, "a\rb\n"), ["a\rb"]);
});

test("lines() joins a line that came in parts", () => {
  assertEquals(of({}, "he", "ll", "o\nwor", "ld\n"), ["hello", "world"]);
  assertEquals(of({}, "a\r", "\n"), ["a"]);
});

test("lines() gives a last line without an end", () => {
  assertEquals(of({}, "a\nb"), ["a", "b"]);
});

test("lines() tells pings and pongs from messages", () => {
  assertEquals(of({}, "PING\nx\nPONG\r\nPINGx\n"), ["*", "x", "+", "PINGx"]);
  assertEquals(of({ ping: "?", pong: false }, "PING\n?\nPONG\n"), ["PING", "*", "PONG"]);
  const wire = lines({ ping: "?", pong: false }).open();
  assertEquals(wire.ping!(), text("?\n"));
  assertEquals(wire.pong, undefined);
});

test("lines() bounds a line, at its last byte", () => {
  const options = { maxLineBytes: 4 };
  assertEquals(of(options, "1234\n"), ["1234"]);
  assertEquals(of(options, "1234\r\n"), ["1234"]);
  assertEquals(of(options, "1234\r", "\n"), ["1234"]);
  for (const chunks of [["12345\n"], ["12345", "\n"], ["12345\r\n"], ["123", "456"], ["123456"]]) {
    assertThrows(() => of(options, ...chunks), ProtocolError, "A line must be <= 4 bytes");
  }
});

test("lines() keeps no more than a line's worth of a peer that never ends one", () => {
  const wire = lines({ maxLineBytes: 100 }).open();
  const events = { message: () => {}, ping: () => {}, pong: () => {} };
  for (let i = 0; i < 101; i++) wire.receive(text("x"), events);
  assertEquals(wire.unfinished, 101);
  assertThrows(() => wire.receive(text("x"), events), ProtocolError);
});

test("lines() takes UTF-8 and nothing else", () => {
  const snowman = text("☃\n");
  for (let cut = 1; cut < snowman.length; cut++) {
    assertEquals(feed(lines().open(), splitAt(snowman, [cut])), ["☃"]);
  }
  assertEquals(of({}, "\ufeffx\n"), ["\ufeffx"]);
  assertThrows(() => feed(lines().open(), [Uint8Array.of(0xff, 10)]), ProtocolError, "A line must be UTF-8");
});

test("lines() gives the same lines in any splits", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", "é", "\r", "\n", "☃") }),
      fc.array(fc.nat(300)),
      (s, cuts) => {
        assertEquals(feed(lines().open(), splitAt(text(s), cuts)), feed(lines().open(), [text(s)]));
      },
    ),
  );
});

test("lines() never throws anything but ProtocolError, whatever comes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200)), (bytes, cuts) => {
    try {
      feed(lines({ maxLineBytes: 50 }).open(), splitAt(bytes, cuts));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }));
});

test("lines() sends a line, and refuses what would not arrive as one", () => {
  const wire = lines({ maxLineBytes: 4 }).open();
  assertEquals(wire.encode("abc"), text("abc\n"));
  assertThrows(() => wire.encode("a\nb"), TypeError, "without line ends");
  assertThrows(() => wire.encode("PING"), TypeError, "must not be that of a ping or pong");
  assertThrows(() => wire.encode("12345"), RangeError, "must be <= 4 bytes: current length is 5");
});

test("lines() rejects what cannot be", () => {
  assertThrows(() => lines({ ping: "a\nb" }), TypeError, `"ping" must be a non-empty line or false`);
  assertThrows(() => lines({ ping: "X", pong: "X" }), TypeError, `must differ: current value is "X"`);
  assertThrows(() => lines({ maxLineBytes: 0 }), RangeError, `"maxLineBytes" must be a whole number >= 1`);
});
