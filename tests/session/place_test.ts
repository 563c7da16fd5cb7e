import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { placeOf, targetOf } from "../../lib/session/place.ts";

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
