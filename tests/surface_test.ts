/**
 * The public names, as a literal list: a change to the surface is a change to this file.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";

import * as holdfast from "../mod.ts";

const VALUES = [
  "ConnectionError",
  "ProtocolError",
  "backoff",
  "connect",
  "detectTransport",
  "lines",
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
  "DrainOptions",
  "ErrorOrigin",
  "HeartbeatOptions",
  "IntervalRange",
  "LinesOptions",
  "ListenOptions",
  "Listener",
  "Observer",
  "OnMessage",
  "Protocol",
  "RateOptions",
  "RawOptions",
  "RoundTripTimes",
  "ServeOptions",
  "Server",
  "ServerStats",
  "Socket",
  "SocketHandler",
  "SocketInfo",
  "SocketStreams",
  "Target",
  "TcpAddress",
  "TcpKeepAlive",
  "TimeoutBounds",
  "Transport",
  "UnixAddress",
  "WakeUp",
  "Wire",
  "WireEvents",
];

/** What `mod.ts` exports as types, by the name that users see. */
function exportedTypes(): string[] {
  const text = readFileSync(new URL("../mod.ts", import.meta.url), "utf8");
  return [...text.matchAll(/^export (type )?\{([^}]*)\}/gm)].flatMap(([, all, list]) =>
    list!.split(",").map((name) => name.trim())
      .filter((name) => name !== "" && (all !== undefined || name.startsWith("type ")))
      .map((name) => name.replace(/^type /, "").replace(/^\w+ as /, ""))
  ).sort();
}

test("mod.ts has these values and no others", () => {
  assertEquals(Object.keys(holdfast).sort(), VALUES);
});

test("mod.ts has these types and no others", () => {
  assertEquals(exportedTypes(), TYPES);
});
