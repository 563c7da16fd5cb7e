import { test } from "node:test";
import fc from "fast-check";
import { assertEquals, assertThrows } from "@std/assert";
import { raw, type RawOptions } from "../../lib/protocol/raw.ts";
import { feed, splitAt, text } from "../support/feed.ts";

const chunk = (token = "heartbeat") => raw({ token }).open();
const anywhere = (token = "heartbeat") => raw({ token, match: "anywhere" }).open();

/** What comes out of chunks: data as text, "*" for each heartbeat. */
const of = (wire: ReturnType<typeof chunk>, ...chunks: string[]) => feed(wire, chunks.map(text));

test("raw() without a token passes everything on", () => {
  assertEquals(of(raw().open(), "heartbeat", "x"), ["heartbeat", "x"]);
  assertEquals(raw().open().ping, undefined);
});

test("chunk: a token that fills a chunk is a heartbeat, and so is a run of them", () => {
  assertEquals(of(chunk(), "heartbeat"), ["*"]);
  assertEquals(of(chunk(), "heartbeatheartbeat"), ["*", "*"]);
});

test("chunk: a run whose last token is split goes on in the next chunk", () => {
  assertEquals(of(chunk(), "heartbeatheart", "beat"), ["*", "*"]);
  assertEquals(of(chunk(), "heartbeath", "eart", "beatheartbeath", "eartbeat"), ["*", "*", "*", "*"]);
});

test("chunk: anything else in a chunk makes it data, whole, as it came", () => {
  assertEquals(of(chunk(), "xheartbeaty"), ["xheartbeaty"]);
  assertEquals(of(chunk(), "heartbeatx"), ["heartbeatx"]);
  assertEquals(of(chunk(), "xheartbeat"), ["xheartbeat"]);
  assertEquals(of(chunk(), "heartbeatheartbeaT"), ["heartbeatheartbeaT"]);
});

test("chunk: a part of a token on its own is data at once", () => {
  assertEquals(of(chunk(), "heart"), ["heart"]);
  assertEquals(of(chunk(), "heart", "beat"), ["heart", "beat"]);
});

test("chunk: a part that was held back is data as soon as it cannot become a token", () => {
  assertEquals(of(chunk(), "heartbeatheart", "y"), ["*", "heart", "y"]);
  assertEquals(of(chunk(), "heartbeatheart", "beatx"), ["*", "heart", "beatx"]);
  assertEquals(of(chunk(), "heartbeatheart", "x", "heartbeat"), ["*", "heart", "x", "*"]);
});

test("chunk: a part that was held back is data when the stream ends", () => {
  assertEquals(of(chunk(), "heartbeatheart"), ["*", "heart"]);
});

test("anywhere: every occurrence is a heartbeat, across chunks too", () => {
  assertEquals(of(anywhere(), "xheartbeaty"), ["x", "*", "y"]);
  assertEquals(of(anywhere(), "heart", "beat"), ["*"]);
  assertEquals(of(anywhere(), "ahea", "rtb", "eatb"), ["a", "*", "b"]);
  assertEquals(of(anywhere(), "heartheartbeat"), ["heart", "*"]);
  assertEquals(of(anywhere(), "hear", "th", "eartbeat"), ["hear", "t", "*"]);
});

test("anywhere: what may be the beginning of a token waits for the byte that decides", () => {
  const wire = anywhere();
  const out: string[] = [];
  const events = {
    message: (message: Uint8Array) => out.push(new TextDecoder().decode(message)),
    ping: () => out.push("*"),
    pong: () => {},
  };
  wire.receive(text("abch"), events);
  assertEquals(out, ["abc"]);
  wire.receive(text("!"), events);
  assertEquals(out, ["abc", "h", "!"]);
});

test("What is released may be changed by its receiver without harm to the token", () => {
  for (const wire of [chunk(), anywhere()]) {
    const events = { message: (message: Uint8Array) => message.fill(0), ping: () => {}, pong: () => {} };
    wire.receive(text("heartbeathe"), events);
    wire.receive(text("!"), events);
    assertEquals(of(wire, "heartbeat"), ["*"]);
  }
});

/** The rule of `anywhere` in one line: remove the leftmost token, again and again. */
const reference = (stream: string, token: string) => stream.split(token);

test("anywhere: any splits give the same data and the same number of heartbeats", () => {
  // Tokens that overlap themselves are where a naive search goes wrong.
  for (const token of ["heartbeat", "aa", "aab", "abab", "a"]) {
    fc.assert(fc.property(
      fc.array(fc.constantFrom("a", "b", "h", token, token.slice(0, -1)), { maxLength: 30 }).map((parts) =>
        parts.join("")
      ),
      fc.array(fc.nat(200)),
      (stream, cuts) => {
        const out = feed(anywhere(token), splitAt(text(stream), cuts));
        const parts = reference(stream, token);
        assertEquals(out.filter((piece) => piece !== "*").join(""), parts.join(""));
        assertEquals(out.filter((piece) => piece === "*").length, parts.length - 1);
      },
    ));
  }
});

test("chunk: nothing is dropped or reordered, in any splits", () => {
  fc.assert(fc.property(
    fc.array(fc.constantFrom("heartbeat", "heart", "beat", "x", "h"), { maxLength: 30 }).map((parts) =>
      parts.join("")
    ),
    fc.array(fc.nat(200)),
    (stream, cuts) => {
      const out = feed(chunk(), splitAt(text(stream), cuts));
      assertEquals(out.map((piece) => piece === "*" ? "heartbeat" : piece).join(""), stream);
    },
  ));
});

test("raw() answers tokens only when asked to", () => {
  assertEquals(chunk().pong, undefined);
  const wire = raw({ token: "hi", answer: true }).open();
  assertEquals(wire.pong!(undefined), text("hi"));
});

test("raw() sends bytes as they are, and text as UTF-8", () => {
  const wire = raw().open(), bytes = text("hé");
  assertEquals(wire.encode(bytes) === bytes, true);
  assertEquals(wire.encode("hé"), bytes);
  assertThrows(() => wire.encode(1 as unknown as string), TypeError, "must be a Uint8Array or a string");
});

test("raw() rejects what cannot be", () => {
  assertThrows(
    () => raw({ token: "" }),
    RangeError,
    `"token" must be 1 to 1024 bytes long: current length is 0`,
  );
  assertThrows(() => raw({ token: "x".repeat(1025) }), RangeError, "current length is 1025");
  assertThrows(
    () => raw({ token: "x", match: "never" } as unknown as RawOptions),
    TypeError,
    `current value is never`,
  );
  assertThrows(() => raw({ answer: true }), TypeError, `"answer" needs a "token"`);
});
