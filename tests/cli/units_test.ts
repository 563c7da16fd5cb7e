/**
 * Durations, sizes and addresses.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  readDuration,
  readInteger,
  readSize,
  readTarget,
  writeAddress,
  writeDuration,
  writeSize,
} from "../../lib/cli/units.ts";

test("readDuration() reads units, fractions and plain milliseconds", () => {
  const cases = {
    "400ms": 400,
    "10s": 10_000,
    "1.5s": 1500,
    "2m": 120_000,
    "1h": 3_600_000,
    "250": 250,
    "1": 1,
  };
  for (const [text, ms] of Object.entries(cases)) assertStrictEquals(readDuration(text), ms, text);
});

test("readDuration() refuses what is no duration, and what is none in effect", () => {
  for (const text of ["", "ten", "s", "-1s", "1 s", "1S", "10sec", "1e3", "1.s", "0x10", "Infinity", "1s "]) {
    assertThrows(() => readDuration(text), RangeError, "must be a duration such as 400ms, 10s or 2m", text);
  }
  for (const text of ["0", "0s", "0.9ms", "0.0001s"]) {
    assertThrows(() => readDuration(text), RangeError, "must be 1ms or longer", text);
  }
});

test("readSize() reads units of 1024 and plain bytes", () => {
  const cases = { "1": 1, "1000": 1000, "64k": 65_536, "64K": 65_536, "1m": 1_048_576, "2g": 2_147_483_648 };
  for (const [text, bytes] of Object.entries(cases)) assertStrictEquals(readSize(text), bytes, text);
});

test("readSize() refuses what is no size, and sizes out of bounds", () => {
  for (const text of ["", "k", "1.5m", "-1", "64kb", "1 k"]) {
    assertThrows(() => readSize(text), RangeError, "must be a size such as 64k, 1m or 1000", text);
  }
  assertThrows(() => readSize("0"), RangeError, "must be at least 1 B");
  assertThrows(() => readSize("4095", 4096), RangeError, "must be at least 4 KiB");
  assertStrictEquals(readSize("4096", 4096), 4096);
  assertThrows(() => readSize("9007199254740992"), RangeError, "must be smaller");
});

test("readInteger() reads from its lowest to its highest", () => {
  assertStrictEquals(readInteger("0", 0, 65_535), 0);
  assertStrictEquals(readInteger("65535", 0, 65_535), 65_535);
  for (const text of ["65536", "-1", "", "1.5", "1e3", "0x50", "eighty"]) {
    assertThrows(
      () => readInteger(text, 0, 65_535),
      RangeError,
      "must be a whole number from 0 to 65535",
      text,
    );
  }
  assertThrows(() => readInteger("0", 1, Infinity), RangeError, "must be a whole number >= 1");
});

test("readTarget() reads names, both kinds of IP address and paths", () => {
  assertEquals(readTarget("localhost:80"), { hostname: "localhost", port: 80 });
  assertEquals(readTarget("127.0.0.1:65535"), { hostname: "127.0.0.1", port: 65_535 });
  assertEquals(readTarget("[::1]:8888"), { hostname: "::1", port: 8888 });
  assertEquals(readTarget("unix:/run/a:b.sock"), { path: "/run/a:b.sock" });
});

test("readTarget() refuses half an address", () => {
  for (
    const text of ["", "8888", ":8888", "localhost", "localhost:", "::1:8888", "[::1]", "a:b:1", "host:-1"]
  ) {
    assertThrows(() => readTarget(text), RangeError, "must be HOST:PORT, [IPV6]:PORT or unix:PATH", text);
  }
  for (const text of ["localhost:0", "localhost:65536"]) {
    assertThrows(() => readTarget(text), RangeError, "must have a port from 1 to 65535", text);
  }
  assertThrows(() => readTarget("unix:"), RangeError, "must name a path");
});

test("writeDuration() says durations as people do", () => {
  const cases: [number, string][] = [
    [0, "0 ms"],
    [400, "400 ms"],
    [999.4, "999 ms"],
    [1000, "1 s"],
    [1500, "1.5 s"],
    [11_600, "11.6 s"],
    [90_000, "90 s"],
    [120_000, "2 min"],
    [3_600_000, "1 h"],
    [5_400_000, "90 min"],
  ];
  for (const [ms, text] of cases) assertStrictEquals(writeDuration(ms), text);
});

test("writeSize() says sizes as people do", () => {
  const cases: [number, string][] = [[0, "0 B"], [1023, "1023 B"], [1024, "1 KiB"], [1_500_000, "1.4 MiB"]];
  for (const [bytes, text] of cases) assertStrictEquals(writeSize(bytes), text);
});

test("writeAddress() writes what readTarget() reads", () => {
  for (const text of ["127.0.0.1:80", "[::1]:80", "unix:/run/a.sock"]) {
    assertStrictEquals(writeAddress(readTarget(text)), text);
  }
  assertStrictEquals(writeAddress({ path: "" }), "unix");
});
