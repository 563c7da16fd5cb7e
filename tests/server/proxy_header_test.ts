import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { formatIp, parseIp } from "../../lib/server/ip.ts";
import { type ProxyHeader, ProxyHeaderDecoder } from "../../lib/server/proxy_header.ts";
import { splitAt, text } from "../support/feed.ts";
import { block, concat, ip4, ip6, LOCAL, SIGNATURE, unix } from "./proxy_headers.ts";

/** The header in `bytes`, and how many of them it has. */
function decode(bytes: Uint8Array | string, cuts: readonly number[] = []): [ProxyHeader | undefined, number] {
  const decoder = new ProxyHeaderDecoder();
  let taken = 0;
  for (const chunk of splitAt(typeof bytes === "string" ? text(bytes) : bytes, cuts)) {
    const some = decoder.receive(chunk);
    taken += some;
    chunk.fill(0xff);
    if (decoder.header !== undefined) return [decoder.header, taken];
    assertEquals(some, chunk.length);
  }
  return [decoder.header, taken];
}

function refused(bytes: Uint8Array | string, rule: string): void {
  assertThrows(() => decode(bytes), ProtocolError, `PROXY header ${rule}`);
}

const FROM = { hostname: "192.0.2.7", port: 56_324 }, TO = { hostname: "198.51.100.1", port: 443 };
const V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";

test("Version 1 is read, up to its last byte and no further", () => {
  assertEquals(decode(V1 + "GET /"), [{ version: 1, source: FROM, destination: TO }, V1.length]);
  assertEquals(decode(V1.slice(0, -1)), [undefined, V1.length - 1]);
  const six = "PROXY TCP6 2001:db8::7 ::1 0 65535\r\n";
  assertEquals(decode(six)[0], {
    version: 1,
    source: { hostname: "2001:db8::7", port: 0 },
    destination: { hostname: "::1", port: 65_535 },
  });
});

test("Version 1 with an unknown caller says nothing of addresses, whatever else is in the line", () => {
  const nobody = { version: 1, source: undefined, destination: undefined } as const;
  for (const line of ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN \xff whatever 1 2 3 4 5\r\n"]) {
    assertEquals(decode(line)[0], nobody);
  }
});

test("Version 1 may be 107 bytes long, and not 108", () => {
  const line = (length: number) => `PROXY UNKNOWN ${"f".repeat(length - 16)}\r\n`;
  assertEquals(decode(line(107))[1], 107);
  refused(line(108), "must be a line of at most 107 bytes");
  // The longest that can be needed.
  const longest = `PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`;
  assert(longest.length <= 107);
  assertEquals(decode(longest)[1], longest.length);
});

test("Version 1 is strict", () => {
  const addresses = "must have addresses of its family";
  const cases: [string, string][] = [
    ["GET / HTTP/1.1\r\n", "must begin as version 1 or 2 do: byte 0 is 0x47"],
    ["proxy TCP4", "must begin as version 1 or 2 do: byte 0 is 0x70"],
    ["PROXY\tTCP4", "must begin as version 1 or 2 do: byte 5 is 0x09"],
    ["PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", `must say TCP4, TCP6 or UNKNOWN: it says "UDP4"`],
    ["PROXY UNKNOWNS\r\n", `must say TCP4, TCP6 or UNKNOWN: it says "UNKNOWNS"`],
    ["PROXY \r\n", `must say TCP4, TCP6 or UNKNOWN: it says ""`],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "must have two addresses, two ports and nothing else"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", `must have ports from 0 to 65535: one is ""`],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", `must have ports from 0 to 65535: one is "65536"`],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", `must have ports from 0 to 65535: one is "01"`],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", `must have ports from 0 to 65535: one is "-1"`],
    ["PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "must have two addresses, two ports and nothing else"],
    ["PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", addresses],
    ["PROXY TCP4 ::1 ::1 1 2\r\n", addresses],
    ["PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", addresses],
    ["PROXY TCP6 fe80::1%lo ::1 1 2\r\n", addresses],
    ["PROXY TCP4 localhost 1.2.3.4 1 2\r\n", addresses],
    ["PROXY UNKNOWN\n", "must end with CRLF"],
    ["PROXY UNKNOWN\rX", "must end with CRLF"],
    ["PROXY UNKNOWN\r\r\n", "must end with CRLF"],
  ];
  for (const [line, rule] of cases) refused(line, rule);
});

test("Version 2 is read, whatever its family", () => {
  const four = block(0x21, 0x11, ip4(FROM, TO));
  assertEquals(decode(concat(four, text("hello"))), [
    { version: 2, source: FROM, destination: TO },
    28,
  ]);
  const from = { hostname: "2001:db8::7", port: 1 }, to = { hostname: "::ffff:192.0.2.1", port: 65_535 };
  assertEquals(decode(block(0x21, 0x21, ip6(from, to))), [{ version: 2, source: from, destination: to }, 52]);
  const full = "x".repeat(108);
  assertEquals(decode(block(0x21, 0x31, unix("/run/a", full))), [
    { version: 2, source: { path: "/run/a" }, destination: { path: full } },
    232,
  ]);
});

test("Version 2 of a proxy that speaks for itself, or of an unknown caller, has no addresses", () => {
  const nobody = { version: 2, source: undefined, destination: undefined } as const;
  assertEquals(decode(LOCAL), [nobody, 16]);
  // What a LOCAL one says of family and addresses is to be ignored.
  assertEquals(decode(block(0x20, 0xff, new Uint8Array(5))), [nobody, 21]);
  assertEquals(decode(block(0x20, 0x11, ip4(FROM, TO))), [nobody, 28]);
  assertEquals(decode(block(0x21, 0x00, new Uint8Array(0))), [nobody, 16]);
  assertEquals(decode(block(0x21, 0x00, new Uint8Array(300))), [nobody, 316]);
});

test("Extensions of version 2 are skipped, 65 535 bytes of them too", () => {
  for (const size of [1, 3, 500, 65_535 - 12]) {
    const bytes = block(0x21, 0x11, concat(ip4(FROM, TO), new Uint8Array(size).fill(0x0d)));
    const [header, taken] = decode(concat(bytes, text("hello")), [20, 29, 31, 40_000]);
    assertEquals([header?.source, taken], [FROM, bytes.length]);
  }
});

test("Version 2 is strict", () => {
  const cases: [Uint8Array, string][] = [
    [block(0x11, 0x11, ip4(FROM, TO)), "must be of version 2: version is 1"],
    [block(0x31, 0x11, ip4(FROM, TO)), "must be of version 2: version is 3"],
    [block(0x22, 0x11, ip4(FROM, TO)), "must have the command LOCAL or PROXY: command is 2"],
    [block(0x21, 0x12, ip4(FROM, TO)), "must be of a family for streams: family and kind are 0x12"],
    [block(0x21, 0x41, ip4(FROM, TO)), "must be of a family for streams: family and kind are 0x41"],
    [block(0x21, 0x10, ip4(FROM, TO)), "must be of a family for streams: family and kind are 0x10"],
    [block(0x21, 0x01, ip4(FROM, TO)), "must be of a family for streams: family and kind are 0x01"],
    [block(0x21, 0x11, new Uint8Array(11)), "must hold the addresses it speaks of, 12 bytes: length is 11"],
    [block(0x21, 0x21, new Uint8Array(35)), "must hold the addresses it speaks of, 36 bytes: length is 35"],
    [
      block(0x21, 0x31, new Uint8Array(215)),
      "must hold the addresses it speaks of, 216 bytes: length is 215",
    ],
    [concat(SIGNATURE.subarray(0, 11), text("X")), "must begin as version 1 or 2 do: byte 11 is 0x58"],
  ];
  for (const [bytes, rule] of cases) refused(bytes, rule);
});

test("It makes no difference where a header is cut", () => {
  const headers = [
    text(V1),
    text("PROXY UNKNOWN\r\n"),
    block(0x21, 0x11, concat(ip4(FROM, TO), new Uint8Array(9))),
    block(0x21, 0x21, ip6({ hostname: "2001:db8::7", port: 1 }, { hostname: "::1", port: 2 })),
    LOCAL,
  ];
  for (const header of headers) {
    const bytes = concat(header, text("data"));
    const whole = decode(bytes);
    assertEquals(whole[1], header.length);
    for (let cut = 1; cut < bytes.length; cut++) assertEquals(decode(bytes, [cut]), whole);
    assertEquals(decode(bytes, Array.from(bytes, (_, i) => i)), whole);
  }
});

test("A wrong header is refused at its first wrong byte", () => {
  for (const bytes of [text("PROXY TCP4 x"), SIGNATURE, block(0x21, 0x11, ip4(FROM, TO))]) {
    for (let at = 0; at < Math.min(bytes.length, 6); at++) {
      const wrong = bytes.slice(0, at + 1);
      wrong[at]! ^= 0x80;
      refused(wrong, "must begin as version 1 or 2 do");
    }
  }
});

test("Any bytes are a header, the beginning of one, or a ProtocolError", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return (seed >> 8) % below;
  };
  const good = [text(V1), block(0x21, 0x11, ip4(FROM, TO)), block(0x21, 0x21, new Uint8Array(40)), LOCAL];
  let read = 0, wrong = 0;
  for (let i = 0; i < 3_000; i++) {
    const bytes = new Uint8Array(good[i % good.length]!);
    for (let n = random(3); n > 0; n--) bytes[random(bytes.length)] = random(256);
    try {
      const [header] = decode(bytes, [random(bytes.length), random(bytes.length)]);
      if (header === undefined) continue;
      read++;
      const { source } = header;
      if (source !== undefined && "port" in source) {
        assertEquals(formatIp(parseIp(source.hostname)!), source.hostname);
      }
    } catch (error) {
      assertInstanceOf(error, ProtocolError);
      wrong++;
    }
  }
  assert(read > 500 && wrong > 500, `${read} read, ${wrong} wrong`);
});
