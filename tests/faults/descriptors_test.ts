/**
 * A process that runs out of descriptors: nobody whom it serves is harmed, it does not spin, and it goes on by itself.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { call, type Caller, until } from "../server/callers.ts";
import { hasUlimit, type Program, start } from "../support/runtime.ts";
import { all, check, note } from "./lab.ts";

/** Descriptors that the server may hold. */
const DESCRIPTORS = 100;
/** Longest that a new caller may wait after others have left, in milliseconds. */
const RECOVERY = 2_500;
/** Most of a processor that it may use while it cannot accept. */
const SHARE = 0.6;

interface Report {
  readonly connections: number;
  readonly refused: number;
  readonly errors: number;
  readonly busy: number;
  readonly seconds: number;
}

async function report(program: Program): Promise<Report> {
  program.send("report");
  return JSON.parse(await program.line());
}

/**
 * Lets 150 callers meet a server with {@linkcode DESCRIPTORS}, of which `files` are in use for other things. Returns what
 * it says when all of them have come.
 */
async function flood(name: string, options: object, files = 0): Promise<Report> {
  const args = [JSON.stringify(options), String(files)];
  const program = start(new URL("programs/limited.ts", import.meta.url), args, { descriptors: DESCRIPTORS });
  const callers: Caller[] = [];
  try {
    const { port } = JSON.parse(await program.line()) as { port: number };
    const old = await Promise.all(Array.from({ length: 10 }, () => call(port)));
    callers.push(...old);
    for (const caller of old) assert(await caller.ask());

    const more = Array.from({ length: 140 }, async () => {
      const caller = await call(port);
      callers.push(caller);
    });
    // Where nobody accepts them they are in the backlog, which looks the same from here.
    await Promise.all(more);
    await report(program);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const felt = await report(program);
    assertLess(felt.busy / felt.seconds, SHARE, "it burns the processor while it cannot accept");
    for (const caller of old) assert(await caller.ask());

    for (const caller of callers.slice(old.length)) caller.leave();
    const recovery = await until(async () => {
      const caller = await call(port);
      callers.push(caller);
      return await caller.ask("?", 300);
    }, 2 * RECOVERY);
    note(
      22,
      `${DESCRIPTORS} descriptors, 150 callers: ${name}`,
      `<= ${100 * SHARE} % of a core, new peer <= ${RECOVERY} ms`,
      `${Math.round(100 * felt.busy / felt.seconds)} %, ${Math.round(recovery)} ms`,
    );
    assertLessOrEqual(recovery, RECOVERY);
    for (const caller of old) assert(await caller.ask());
    program.send("quit");
    assertEquals(await program.ended(), 0, program.stderr());
    return felt;
  } finally {
    for (const caller of callers) caller.leave();
    program.kill("SIGKILL");
  }
}

if (!hasUlimit) console.log("skipped: there is no ulimit");
else {
  check("callers beyond the descriptors harm nobody, and there is room again within 2.5 s", async () => {
    await all(
      flood("40 of them in use", {}, 40).then(({ connections }) =>
        assertLess(connections, DESCRIPTORS - 40, "there were enough of them")
      ),
      // A server that is told nothing leaves itself enough of them.
      flood("told nothing", {}).then(({ connections, refused, errors }) =>
        assertEquals([connections, refused, errors], [36, 114, 0])
      ),
      // A limit below the descriptors keeps the server from ever running out.
      flood("30 connections at most", { maxConnections: 30 }).then(({ connections, refused, errors }) =>
        assertEquals([connections, refused, errors], [30, 120, 0])
      ),
    );
  });
}
