import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { placeFor, placeOf, targetOf } from "../../lib/session/place.ts";

for (
  const [place, target] of [
    ["127.0.0.1:80", { hostname: "127.0.0.1", port: 80 }],
    ["host.example:1", { hostname: "host.example", port: 1 }],
    ["host:65535", { hostname: "host", port: 65_535 }],
    ["[::1]:4242", { hostname: "::1", port: 4242 }],
    ["[fe80::1%eth0]:4242", { hostname: "fe80::1%eth0", port: 4242 }],
    ["unix:/run/x.sock", { path: "/run/x.sock" }],
    ["unix:a:1", { path: "a:1" }],
  ] as const
) {
  test(`${place} is a place, there and back`, () => {
    assertEquals(targetOf(place), target);
    assertEquals(placeOf(target), place);
  });
}

for (
  const place of [
    "",
    "unix:",
    "host",
    "host:",
    ":80",
    "host:0",
    "host:65536",
    "host:123456",
    "host:-1",
    "host:8o",
    "host: 80",
    "::1:80",
    "[]:80",
    "[::1]",
    "[::1]:",
    "[::1:80",
    "a:b:80",
    "[host]x:80",
  ]
) {
  test(`"${place}" names no place`, () => assertEquals(targetOf(place), undefined));
}

test("A place that cannot be told is refused", () => {
  assertEquals(placeFor("drain", { hostname: "::1", port: 8888 }), "[::1]:8888");
  assertEquals(placeFor("drain", { path: `/${"x".repeat(249)}` }).length, 255);
  assertThrows(
    () => placeFor("drain", { path: `/${"x".repeat(250)}` }),
    RangeError,
    `Cannot drain as "to" must be <= 255 bytes: current length is 256`,
  );
  assertThrows(
    () => placeFor("drain", "elsewhere:1" as never),
    TypeError,
    `Cannot drain as "to" must be { hostname, port } or { path }: current value is elsewhere:1`,
  );
});
