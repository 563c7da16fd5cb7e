/**
 * docs/options.md has every option that the sources declare, with the same default, and what it says of ranges is what
 * is refused.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { connect, frames, lines, raw, serve } from "../mod.ts";
import { testNetwork } from "../lib/testing/mod.ts";
import { readPage } from "./support/pages.ts";

const PAGE = "docs/options.md";

/** Which declarations a section lists, each with what stands before its names. */
const SECTIONS: Record<string, readonly (readonly [file: string, type: string, prefix: string])[]> = {
  "serve and connect": [
    ["lib/connection.ts", "ConnectionOptions", ""],
    ["lib/liveness/heartbeat_policy.ts", "HeartbeatOptions", "heartbeat."],
    ["lib/liveness/interval.ts", "IntervalRange", "heartbeat.interval."],
    ["lib/liveness/heartbeat_policy.ts", "TimeoutBounds", "heartbeat.timeout."],
    ["lib/liveness/rate.ts", "RateOptions", "messageRate."],
    ["lib/transport/transport.ts", "TcpKeepAlive", "tcpKeepAlive."],
  ],
  serve: [
    ["lib/server/options.ts", "ServeOptions", ""],
    ["lib/liveness/rate.ts", "RateOptions", "acceptRate."],
    ["lib/server/proxy_gate.ts", "ProxyProtocolOptions", "proxyProtocol."],
    ["lib/transport/tls.ts", "TlsIdentity", "tls."],
    ["lib/transport/tls.ts", "TlsServerOptions", "tls."],
    ["lib/session/sessions.ts", "SessionOptions", "resume."],
  ],
  drain: [["lib/server/contract.ts", "DrainOptions", ""]],
  connect: [
    ["lib/client.ts", "ConnectOptions", ""],
    ["lib/transport/tls.ts", "TlsClientOptions", "tls."],
    ["lib/liveness/backoff.ts", "BackoffOptions", "reconnect."],
    // After those that it extends: its own defaults count.
    ["lib/session/reconnect_options.ts", "ReconnectOptions", "reconnect."],
  ],
  raw: [["lib/protocol/raw.ts", "RawOptions", ""]],
  lines: [["lib/protocol/lines.ts", "LinesOptions", ""]],
  frames: [["lib/protocol/frames.ts", "FramesOptions", ""]],
  json: [["lib/protocol/json.ts", "JsonOptions", ""]],
  packets: [["lib/protocol/packets.ts", "PacketsOptions", ""]],
};

/** Sections of protocols. */
const PROTOCOLS = ["raw", "lines", "frames", "json", "packets"];

/** Options of a transport that servers and clients hand on, under the names that they have there. */
const HANDED_ON = ["ConnectOptions", "ListenOptions"];
/** What only a transport itself is told. */
const INNER = ["accept", "admit", "beforeTls", "failed", "died"];

interface Row {
  readonly name: string;
  readonly cells: Readonly<Record<string, string>>;
}

/** The rows of a section's table. */
function rowsOf(section: string): Row[] {
  const text = readPage(PAGE).split(/^## /m).find((part) => part.startsWith(`${section}\n`));
  assert(text !== undefined, `${PAGE} has no section "${section}"`);
  const table = text.split("\n").filter((line) => line.startsWith("|")).map((line) =>
    line.slice(1, -1).split("|").map((cell) => cell.trim())
  );
  const [head, , ...rest] = table;
  return rest.map((cells) => ({
    name: cells[0]!.replaceAll("`", ""),
    cells: Object.fromEntries(head!.map((name, i) => [name, cells[i] ?? ""])),
  }));
}

interface Declared {
  readonly name: string;
  readonly optional: boolean;
  /** What `@default` says; `undefined` if it says nothing. */
  readonly fallback: string | undefined;
}

/** What a type declares, by the text of its source. */
function declaredBy(file: string, type: string): Declared[] {
  const source = readPage(file);
  const start = source.search(new RegExp(`^export (interface|type) ${type}\\b`, "m"));
  assert(start >= 0, `${file} declares no ${type}`);
  // To the brace that closes it.
  const text = source.slice(start, start + source.slice(start).search(/^(}| {2}};)/m));
  return [...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*readonly (\w+)(\?)?:/g)].map((
    [, doc, name, mark],
  ) => ({
    name: name!,
    optional: mark === "?",
    fallback: /@default ([\s\S]*)$/.exec(doc!)?.[1]?.replace(/\s*\n\s*\*\s?/g, " ").trim(),
  }));
}

/** All that a section should list, by name. */
function declaredIn(section: string): Map<string, Declared> {
  const all = new Map<string, Declared>();
  for (const [file, type, prefix] of SECTIONS[section]!) {
    const declared = declaredBy(file, type);
    assertGreater(declared.length, 0, `${type} declares nothing`);
    for (const one of declared) {
      const name = prefix + one.name, known = all.get(name);
      all.set(name, { ...one, fallback: one.fallback ?? known?.fallback });
    }
  }
  return all;
}

/** Text without what is only a matter of form. */
const plain = (text: string) => text.replaceAll("`", "").replace(/(?<=\d)[ _](?=\d)/g, "").trim();

/** What a page may say of a default: the value that stands in braces, or the first words. */
function says(cell: string, { optional, fallback }: Declared): boolean {
  const said = plain(cell);
  if (!optional) return said === "required";
  if (fallback === undefined) return /^(on|none|required, or \w+)$/.test(said);
  const value = /^\{([^}]*)\}/.exec(fallback)?.[1]?.replace(/^ServeOptions\./, "");
  if (value === undefined) return said !== "" && plain(fallback).startsWith(said);
  return said === plain(value) ||
    said.startsWith(plain(value)) && /^[,;: ]/.test(said.slice(plain(value).length));
}

const sections = Object.keys(SECTIONS);

test("docs/options.md lists every option that is declared, and no other", () => {
  for (const section of sections) {
    assertEquals(
      rowsOf(section).map(({ name }) => name).sort(),
      [...declaredIn(section).keys()].sort(),
      section,
    );
  }
});

test("docs/options.md says the defaults that the sources say", () => {
  const wrong = sections.flatMap((section) => {
    const declared = declaredIn(section);
    return rowsOf(section).filter(({ name, cells }) => !says(cells["default"]!, declared.get(name)!))
      .map(({ name, cells }) =>
        `${section}: ${name} is "${cells["default"]}", not "${declared.get(name)!.fallback}"`
      );
  });
  assertEquals(wrong, []);
});

test("what a transport is told has the names of the options that it comes from", () => {
  const known = sections.flatMap((section) => rowsOf(section).map(({ name }) => name));
  const unknown = HANDED_ON.flatMap((type) => declaredBy("lib/transport/transport.ts", type))
    .filter(({ name }) => !INNER.includes(name) && !known.includes(name));
  assertEquals(unknown, []);
});

test("README.md has options that docs/options.md has, with the same defaults", () => {
  const known = sections.flatMap((section) => rowsOf(section).map((row) => [section, row] as const));
  const size = (_: string, n: string, unit: string) => String(Number(n) * (unit === "K" ? 1024 : 1024 ** 2));
  const first = (cell: string) => plain(cell.replace(/(\d+) ([KM])iB/, size)).split(/[,;:]| or /)[0];
  const [, text = ""] = /^## Options$([\s\S]*?)^## /m.exec(readPage("README.md")) ?? [];
  const found = [...text.matchAll(/^\| `([^|]+)` *\|([^|\n]*\|)?([^|\n]*)\|[^|\n]*\|$/gm)];
  assertGreater(found.length, 50);
  const wrong = found.flatMap(([, names, , fallback]) => {
    const call = /^(\w+)\(\{ (\w+)/.exec(names!);
    const list = call !== null ? [call[2]!] : names!.replaceAll("`", "").split(", ");
    return list.flatMap((name) => {
      const rows = known.filter(([section, row]) =>
        row.name === name && (call === null ? !PROTOCOLS.includes(section) : section === call[1])
      );
      if (rows.length === 0) return [`${name} is not on the page`];
      const said = first(fallback!);
      const same = said === "" || list.length > 1 ||
        rows.some(([, row]) => first(row.cells["default"]!) === said);
      return same ? [] : [`${name}: "${said}"`];
    });
  });
  assertEquals(wrong, []);
});

/** A value within the range, and values that are not. */
interface Range {
  readonly good: unknown;
  readonly bad: readonly unknown[];
}

/** What a cell says of a range; `undefined` if it says nothing that can be tried by itself. */
function rangeOf(cell: string): Range | undefined {
  const said = plain(cell);
  if (said === "> 0") return { good: 0.5, bad: [0, -1, NaN, "1"] };
  if (said === "true, false") return undefined;
  if (said.startsWith('"')) return { good: JSON.parse(said.split(",")[0]!), bad: ["other", 0] };
  const [, whole, least] = /^(whole )?≥ (\d+)(?:, finite)?$/.exec(said) ?? [];
  if (least !== undefined) {
    const min = Number(least), finite = said.endsWith("finite") ? [Infinity] : [];
    return { good: min + 1, bad: [min - 1, NaN, ...finite, ...(whole === undefined ? [] : [min + 0.5])] };
  }
  const [, low, high] = /^(\d+) to (\d+)$/.exec(said) ?? [];
  if (high === undefined) return undefined;
  return { good: Number(high), bad: [Number(low) - 1, Number(high) + 1, NaN] };
}

/** `{ a: { b: value } }` for `a.b`. */
function nested(name: string, value: unknown, more: Record<string, unknown> = {}): Record<string, unknown> {
  const [first = "", ...rest] = name.split(".");
  return rest.length === 0 ? { [first]: value, ...more } : { [first]: nested(rest.join("."), value, more) };
}

/** What has to stand beside an option that is tried. */
const BESIDE: Record<string, Record<string, unknown>> = {
  "heartbeat.interval.min": { max: 1e6 },
  "heartbeat.timeout.min": { max: 1e6 },
  "messageRate.burst": { perSecond: 1 },
  "acceptRate.burst": { perSecond: 1 },
  "tls.clientCertificate": { certificate: "-----BEGIN ", key: "-----BEGIN " },
  "tls.handshakeTimeout": { certificate: "-----BEGIN ", key: "-----BEGIN " },
};

const timeout = 30_000;

/** Those that only a transport with TLS looks at. */
const NEEDS_TLS = ["tls.clientCertificate", "tls.handshakeTimeout"];

test(
  "docs/options.md says the ranges that are refused, and what is within them is taken",
  { timeout },
  async () => {
    const { transport, clock } = testNetwork();
    const where = { hostname: "server.test", port: 1 };
    await serve({ transport, clock, ...where, protocol: lines() }, () => new Promise(() => {}));
    const protocol = frames();
    const attempts: Record<string, (options: Record<string, unknown>) => Promise<unknown>> = {
      "serve and connect": (options) =>
        clock.until(connect(where, { transport, clock, protocol: lines(), ...options })),
      serve: async (options) => {
        const base = "port" in options ? {} : { port: 0 };
        const server = await serve({ transport, clock, protocol, ...base, ...options }, () => {});
        server.abort();
      },
      drain: async (options) => {
        const server = await serve({ transport, clock, port: 0 }, () => {});
        await clock.until(server.drain(options));
      },
      connect: (options) => clock.until(connect(where, { transport, clock, protocol: lines(), ...options })),
      raw: async (options) => void raw({ token: "x", ...options }),
      lines: async (options) => void lines(options),
      frames: async (options) => void frames(options),
    };
    let tried = 0;
    for (const section of Object.keys(attempts)) {
      for (const { name, cells } of rowsOf(section)) {
        const range = rangeOf(cells["range"] ?? "");
        if (range === undefined || NEEDS_TLS.includes(name)) continue;
        const last = name.split(".").at(-1)!;
        const attempt = (value: unknown) => attempts[section]!(nested(name, value, BESIDE[name]));
        for (const bad of range.bad) {
          const error = await assertRejects(
            async () => await attempt(bad),
            `${section}: ${name} = ${bad} is taken`,
          );
          assert(error instanceof RangeError || error instanceof TypeError, `${name}: ${error}`);
          assert(error.message.includes(last), `"${error.message}" does not name ${last}`);
        }
        await attempt(range.good);
        tried++;
      }
    }
    assertGreater(tried, 40);
  },
);
