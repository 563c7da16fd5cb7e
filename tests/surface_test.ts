/**
 * The public names, as a literal list: a change to the surface is a change to this file.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";

import * as holdfast from "../mod.ts";
import * as testing from "../lib/testing/mod.ts";
import * as bun from "../lib/transport/bun.ts";
import * as deno from "../lib/transport/deno.ts";
import * as memory from "../lib/transport/memory.ts";
import * as node from "../lib/transport/node.ts";
import * as workers from "../lib/transport/workers.ts";

const VALUES = [
  "ConnectionError",
  "ProtocolError",
  "backoff",
  "connect",
  "detectTransport",
  "frames",
  "json",
  "lines",
  "memoryStore",
  "packets",
  "raw",
  "serve",
  "systemClock",
  "toStreams",
];

const TYPES = [
  "Address",
  "AnyConnection",
  "BackoffOptions",
  "Capabilities",
  "Clock",
  "CloseReason",
  "ConnectOptions",
  "Connection",
  "ConnectionErrorCode",
  "ConnectionErrorOptions",
  "ConnectionFacts",
  "ConnectionHandler",
  "ConnectionHeartbeat",
  "ConnectionOptions",
  "ConnectionState",
  "ConnectionStats",
  "DialOptions",
  "DrainNotice",
  "DrainOptions",
  "ErrorOrigin",
  "Farewell",
  "FramesOptions",
  "HeartbeatOptions",
  "Hello",
  "IntervalRange",
  "JsonOptions",
  "LinesOptions",
  "ListenOptions",
  "Listener",
  "Observer",
  "Offer",
  "OnMessage",
  "PacketWire",
  "PacketsOptions",
  "PeerCertificate",
  "Pieces",
  "Place",
  "Protocol",
  "ProxiedAddress",
  "ProxyProtocolOptions",
  "RateOptions",
  "RawOptions",
  "ReconnectOptions",
  "RefusalCounts",
  "Role",
  "RoundTripTimes",
  "ServeOptions",
  "Server",
  "ServerStats",
  "SessionOffer",
  "SessionOptions",
  "SessionRecord",
  "SessionStore",
  "SessionTicket",
  "Socket",
  "SocketHandler",
  "SocketInfo",
  "SocketStreams",
  "Target",
  "TcpAddress",
  "TcpKeepAlive",
  "TimeoutBounds",
  "TlsCapabilities",
  "TlsClientOptions",
  "TlsIdentity",
  "TlsInfo",
  "TlsServerOptions",
  "Transport",
  "TrustedProxies",
  "UnixAddress",
  "WakeUp",
  "Wire",
  "WireEvents",
];

/** The other entry points of deno.json. The last one is a program. */
const ENTRIES: Record<string, { module: object; values: readonly string[]; types: readonly string[] }> = {
  "./deno": { module: deno, values: ["transport"], types: [] },
  "./bun": { module: bun, values: ["transport"], types: [] },
  "./node": { module: node, values: ["transport"], types: [] },
  "./workers": { module: workers, values: ["transport"], types: [] },
  "./memory": {
    module: memory,
    values: ["memoryNetwork"],
    types: ["Direction", "Faults", "MemoryLink", "MemoryNetwork", "MemoryNetworkOptions", "Weather"],
  },
  "./testing": {
    module: testing,
    values: ["FakeClock", "seeded", "testNetwork"],
    types: ["TestFaults", "TestNetwork", "TestNetworkOptions"],
  },
  "./cli": { module: {}, values: [], types: [] },
};

const { exports }: { exports: Record<string, string> } = JSON.parse(
  readFileSync(new URL("../deno.json", import.meta.url), "utf8"),
);

/** What an entry point exports as types, by the name that users see. */
function exportedTypes(path: string): string[] {
  const text = readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
  const listed = [...text.matchAll(/^export (type )?\{([^}]*)\}/gm)].flatMap(([, all, list]) =>
    list!.split(",").map((name) => name.trim())
      .filter((name) => name !== "" && (all !== undefined || name.startsWith("type ")))
      .map((name) => name.replace(/^type /, "").replace(/^\w+ as /, ""))
  );
  const declared = [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name]) => name!);
  return [...listed, ...declared].sort();
}

test("mod.ts has these values and no others", () => {
  assertEquals(Object.keys(holdfast).sort(), VALUES);
});

test("mod.ts has these types and no others", () => {
  assertEquals(exportedTypes("mod.ts"), TYPES);
});

test("deno.json has these entry points and no others", () => {
  assertEquals(Object.keys(exports), [".", ...Object.keys(ENTRIES)]);
});

test("the other entry points have these values and types and no others", () => {
  for (const [name, { module, values, types }] of Object.entries(ENTRIES)) {
    assertEquals([name, ...Object.keys(module).sort()], [name, ...values]);
    assertEquals([name, ...exportedTypes(exports[name]!)], [name, ...types]);
  }
});
