import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { LIMIT_OPTIONS, limitsOf } from "../../lib/cli/limits.ts";
import { main } from "../../lib/cli/main.ts";
import { readArguments } from "../../lib/cli/options.ts";
import { fakeHost } from "./fake_host.ts";

function limits(args: string, protocol: "raw" | "lines" | "frames" = "lines") {
  const { values, given } = readArguments("serve", LIMIT_OPTIONS, args === "" ? [] : args.split(" "));
  return limitsOf("serve", { ...values, protocol, unix: undefined, "tls-cert": undefined }, given);
}

test("limitsOf() gives the server what it was told, and its own defaults for the rest", () => {
  const none = {
    maxConnections: 10_000,
    maxConnectionsPerAddress: undefined,
    acceptRate: undefined,
    handshakeTimeout: 5_000,
    maxOutboundBytes: 4 << 20,
    maxInboundBytes: 1 << 20,
    maxBufferedBytes: undefined,
    proxyProtocol: undefined,
  };
  assertEquals(limits(""), none);
  assertEquals(
    limits(
      "--max-connections-per-address 20 --accept-rate 100 --max-memory 256m --max-buffer 64k " +
        "--proxy-protocol 10.0.0.0/8,2001:db8::7 --handshake-timeout 2s",
    ),
    {
      ...none,
      maxConnectionsPerAddress: 20,
      acceptRate: { perSecond: 100 },
      handshakeTimeout: 2_000,
      maxOutboundBytes: 64 << 10,
      maxInboundBytes: 64 << 10,
      maxBufferedBytes: 256 << 20,
      proxyProtocol: { trusted: ["10.0.0.0/8", "2001:db8::7"] },
    },
  );
});

test("main() answers limits that would limit nothing, and TLS without its files, with one line", async () => {
  const cases: [args: string, err: string, code?: number][] = [
    ["--max-message 1k", "--max-message is for the protocols lines and frames"],
    ["--max-message 0 --protocol lines", '--max-message must be at least 1 B: got "0"'],
    [
      "--unix /x --max-connections-per-address 1",
      "--unix and --max-connections-per-address exclude each other",
    ],
    ["--max-connections-per-address 0", '--max-connections-per-address must be a whole number >= 1: got "0"'],
    ["--accept-rate 0", '--accept-rate must be a whole number >= 1: got "0"'],
    ["--max-memory 1k", '--max-memory must be at least 64 KiB: got "1k"'],
    ["--handshake-timeout 1s", "--handshake-timeout is for frames, --tls-cert and --proxy-protocol"],
    [
      "--proxy-protocol 10.0.0.1/8",
      '--proxy-protocol must be networks such as 10.0.0.0/8,2001:db8::7 (or unix:): got "10.0.0.1/8"',
    ],
    ["--tls-cert c", "--tls-cert and --tls-key go together"],
    ["--tls-key k", "--tls-cert and --tls-key go together"],
    ["--tls-ca a", "--tls-ca needs --tls-cert"],
  ];
  for (const [args, err] of cases) {
    const host = fakeHost([]);
    const code = await main(
      ["serve", "--port", "0", ...args.split(" ")].filter((arg, i, all) =>
        // A path and a port exclude each other already.
        !all.includes("--unix") || (arg !== "--port" && all[i - 1] !== "--port")
      ),
      host,
    );
    assertEquals([code, host.out(), host.err()], [2, "", `holdfast serve: ${err}\n`], args);
  }
});

test("main() says in one line that a file of TLS cannot be read", async () => {
  for (const args of [["serve", "--port", "0"], ["connect", "127.0.0.1:1"]]) {
    const host = fakeHost([]);
    const code = await main([...args, "--tls-cert", "/nowhere/c.pem", "--tls-key", "/nowhere/k.pem"], host);
    assertStrictEquals(code, 1);
    assertStrictEquals(host.err().split("\n").length, 2, host.err());
    assertStrictEquals(host.err().startsWith("holdfast: cannot read a PEM file: "), true, host.err());
  }
});
