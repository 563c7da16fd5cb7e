import { test } from "node:test";
import { assertEquals, assertNotStrictEquals } from "@std/assert";
import { addressKey } from "../../lib/server/address_key.ts";

const key = (hostname: string): string | undefined => addressKey({ hostname, port: 1 });

test("An IPv4 address is the same in both of its forms, and whatever the port", () => {
  assertEquals(key("192.0.2.1"), "192.0.2.1");
  assertEquals(key("::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(key("::ffff:c000:0201"), "192.0.2.1");
  assertEquals(addressKey({ hostname: "192.0.2.1", port: 2 }), key("192.0.2.1"));
  assertNotStrictEquals(key("192.0.2.2"), key("192.0.2.1"));
});

test("An IPv6 /64 is one address, in whatever form, and its neighbour another one", () => {
  const network = key("2001:db8:0:1::1");
  assertEquals(network, "2001:db8:0:1::/64");
  assertEquals(key("2001:DB8:0:1:ffff:ffff:ffff:ffff"), network);
  assertEquals(key("2001:db8::1:0:0:0:1"), network);
  assertNotStrictEquals(key("2001:db8:0:2::1"), network);
  assertNotStrictEquals(key("2001:db8:0:0:ffff::1"), network);
});

test("The same link-local network on two links is two", () => {
  assertEquals(key("fe80::1%eth0"), key("fe80::2%eth0"));
  assertNotStrictEquals(key("fe80::1%eth0"), key("fe80::1%eth1"));
});

test("Callers of a Unix-domain socket are not counted", () => {
  assertEquals(addressKey({ path: "" }), undefined);
  assertEquals(addressKey({ path: "/run/caller.sock" }), undefined);
});

test("What is no address counts as what it says", () => {
  assertEquals(key(""), "");
  assertEquals(key("a:b"), "a:b");
});
