import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { foldIp, formatIp, parseIp } from "../../lib/server/ip.ts";

const hex = (text: string): string | undefined => {
  const bytes = parseIp(text);
  return bytes && [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

test("parseIp() reads every form of an address", () => {
  assertEquals(hex("192.0.2.255"), "c00002ff");
  assertEquals(hex("0.0.0.0"), "00000000");
  assertEquals(hex("::"), "0".repeat(32));
  assertEquals(hex("::1"), "0".repeat(31) + "1");
  assertEquals(hex("2001:db8::"), "20010db8" + "0".repeat(24));
  assertEquals(hex("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
  assertEquals(hex("1::3:4:5:6:7:8"), "00010000000300040005000600070008");
  assertEquals(hex("ABCD::EF"), "abcd" + "0".repeat(26) + "ef");
  assertEquals(hex("::ffff:192.0.2.1"), "0".repeat(20) + "ffffc0000201");
  assertEquals(hex("1:2:3:4:5:6:192.0.2.1"), "000100020003000400050006c0000201");
});

test("parseIp() takes nothing else", () => {
  const wrong = [
    "",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.-4",
    " 1.2.3.4",
    "0x1.2.3.4",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4::5:6:7:8",
    "12345::",
    "g::",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "fe80::1%eth0",
    "[::1]",
  ];
  assertEquals(wrong.map(parseIp), wrong.map(() => undefined));
});

test("formatIp() has one form for each address, that of RFC 5952", () => {
  const forms: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"],
    ["::ffff:c000:201", "::ffff:192.0.2.1"],
  ];
  assertEquals(forms.map(([text]) => formatIp(parseIp(text)!)), forms.map(([, form]) => form));
});

test("formatIp() and parseIp() undo each other", () => {
  for (let seed = 1, i = 0; i < 500; i++) {
    const bytes = new Uint8Array(i % 2 ? 4 : 16);
    // Many zeros: they are what is left out.
    for (let at = 0; at < bytes.length; at++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      bytes[at] = seed % 3 === 0 ? (seed >> 8) % 256 : 0;
    }
    assertEquals(parseIp(formatIp(bytes)), bytes);
  }
});

test("foldIp() finds the IPv4 address in a mapped one, and in no other", () => {
  assertEquals([...foldIp(parseIp("::ffff:192.0.2.1")!)], [192, 0, 2, 1]);
  for (
    const text of [
      "::192.0.2.1",
      "::1:ffff:192.0.2.1",
      "::fffe:192.0.2.1",
      "::ff:192.0.2.1",
      "::ff00:192.0.2.1",
    ]
  ) {
    assertEquals(foldIp(parseIp(text)!).length, 16);
  }
});
