import { test } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type TrustedProxies, trustedProxies } from "../../lib/server/trusted_proxies.ts";

function trusts(trusted: TrustedProxies, hostnames: readonly string[]): boolean[] {
  const decide = trustedProxies(trusted);
  return hostnames.map((hostname) => decide({ hostname, port: 1 }));
}

test("A network has the addresses that begin as it does, up to its edges", () => {
  const hosts = ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"];
  assertEquals(trusts(["10.0.0.0/8"], hosts), [false, true, true, false]);
  assertEquals(trusts(["192.0.2.64/26"], ["192.0.2.63", "192.0.2.64", "192.0.2.127", "192.0.2.128"]), [
    false,
    true,
    true,
    false,
  ]);
  assertEquals(
    trusts(["2001:db8:8::/45"], ["2001:db8:7:ffff::", "2001:db8:8::", "2001:db8:f:ff::", "2001:db8:10::"]),
    [
      false,
      true,
      true,
      false,
    ],
  );
  assertEquals(trusts(["0.0.0.0/0"], ["203.0.113.9", "::1"]), [true, false]);
  assertEquals(trusts(["::/0"], ["203.0.113.9", "::1"]), [false, true]);
});

test("An address alone is itself only", () => {
  assertEquals(trusts(["192.0.2.1", "::1"], ["192.0.2.1", "192.0.2.0", "::1", "::2"]), [
    true,
    false,
    true,
    false,
  ]);
});

test("An IPv4-mapped address is the IPv4 address, on both sides", () => {
  assertEquals(trusts(["10.0.0.0/8"], ["::ffff:10.1.2.3", "::ffff:11.1.2.3"]), [true, false]);
  assertEquals(trusts(["::ffff:10.0.0.0/104"], ["10.1.2.3", "::ffff:10.1.2.3", "11.1.2.3"]), [
    true,
    true,
    false,
  ]);
});

test("A zone makes no difference, and what is no address is nobody's", () => {
  assertEquals(trusts(["fe80::/10"], ["fe80::1%eth0", "", "localhost"]), [true, false, false]);
});

test("Unix-domain sockets are trusted if the list says so", () => {
  assertEquals(trustedProxies(["unix:"])({ path: "" }), true);
  assertEquals(trustedProxies(["unix:"])({ hostname: "::1", port: 1 }), false);
  assertEquals(trustedProxies(["::1"])({ path: "" }), false);
});

test("A function decides for itself", () => {
  const decide = () => true;
  assertStrictEquals(trustedProxies(decide), decide);
});

test("A list with a mistake in it is refused", () => {
  const wrong = [
    "",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.1/8",
    "10.0.0.128/24",
    "2001:db8::1/32",
    "::/129",
    "::ffff:10.0.0.0/95",
    "proxy.example",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
  ];
  for (const text of wrong) {
    assertThrows(() => trustedProxies([text]), TypeError, `one is "${text}"`);
  }
  assertThrows(() => trustedProxies([]), TypeError, "current value is an empty list");
  assertThrows(() => trustedProxies(true as unknown as string[]), TypeError, "current value is true");
});
