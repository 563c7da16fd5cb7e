/**
 * docs/close-reasons.md has every code that a connection may end with, and says of each whose doing it is, and whether a
 * client comes back, as the sources do.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { originOf } from "../lib/connection/close_reason.ts";
import { ConnectionError, type ConnectionErrorCode, type ErrorOrigin, ProtocolError } from "../lib/errors.ts";
import { codeFor } from "../lib/protocol/close_codes.ts";
import { isHopeless } from "../lib/session/hopeless.ts";
import { isTheEnd } from "../lib/session/lasting_owner.ts";
import { readPage } from "./support/pages.ts";

interface Row {
  readonly code: ConnectionErrorCode;
  readonly origin: string;
  readonly happened: string;
  readonly todo: string;
  readonly back: string;
}

const rows: Row[] = [...readPage("docs/close-reasons.md").matchAll(/^\| `([a-z-]+)`(.*)\|$/gm)].map(
  ([, code, rest]) => {
    const [, origin = "", happened = "", todo = "", back = ""] = rest!.split("|").map((cell) => cell.trim());
    return { code: code as ConnectionErrorCode, origin, happened, todo, back };
  },
);

/** The codes that the type lists. */
function declared(): string[] {
  const [, list = ""] = /export type ConnectionErrorCode =([^;]*);/.exec(readPage("lib/errors.ts")) ?? [];
  return [...list.matchAll(/"([a-z-]+)"/g)].map(([, code]) => code!);
}

/** Ends that are none of a link: no link was made, or whoever carries the links decides by itself. */
const DIALLING: readonly string[] = ["connect-failed", "connect-timeout", "listen-failed"];
const BY_HAND: Record<string, ErrorOrigin> = {
  "connect-failed": "network",
  "connect-timeout": "network",
  "listen-failed": "local",
  "server-full": "peer",
  "session-lost": "peer",
  "refused": "peer",
};

test("docs/close-reasons.md has each code once", () => {
  assertEquals(declared().length > 20, true);
  assertEquals(rows.map(({ code }) => code).sort(), declared().sort());
  assertEquals(rows.filter(({ happened, todo }) => happened === "" || todo === ""), []);
});

test("lib/errors.ts describes each code", () => {
  const source = readPage("lib/errors.ts");
  assertEquals(declared().filter((code) => !source.includes(` * | \`${code}\` | `)), []);
});

test("docs/close-reasons.md says whose doing each end is", () => {
  const wrong = rows.filter(({ code }) => code !== "closed")
    .filter(({ code, origin }) =>
      origin !== (BY_HAND[code] ?? originOf(code, code === "protocol-error" ? PEER : undefined))
    );
  assertEquals(wrong.map(({ code }) => code), []);
});

/** What comes from a decoder is the peer's doing. */
const PEER = new ProtocolError("a rule");

test("docs/close-reasons.md says after which ends a client comes back", () => {
  const comesBack = (code: ConnectionErrorCode, origin: ErrorOrigin, told?: number) => {
    const farewell = told === undefined ? undefined : { code: told, text: "", retryAfter: 0 };
    const reason = new ConnectionError(code, "", { origin, farewell });
    if (DIALLING.includes(code)) return !isHopeless(reason);
    return !isTheEnd(reason, false);
  };
  const said = rows.filter(({ code }) => code !== "listen-failed" && code !== "close-timeout").map((
    { code, back },
  ) => [
    code,
    back.split(",")[0],
  ]);
  const right = said.map(([name]) => {
    const code = name as ConnectionErrorCode, told = codeFor(code);
    if (code === "closed") return [code, comesBack(code, "peer") ? "yes" : "no"];
    const here = comesBack(code, BY_HAND[code] ?? originOf(code, PEER)),
      there = told !== undefined && comesBack(code, "peer", told);
    return [code, here ? "yes" : there ? "if told" : "no"];
  });
  assertEquals(said, right);
});

test("a goodbye in order is the end, whoever would come back", () => {
  const done = new ConnectionError("closed", "", {
    origin: "peer",
    farewell: { code: 0, text: "", retryAfter: 0 },
  });
  assertEquals(isTheEnd(done, false), true);
});
