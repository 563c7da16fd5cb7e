/**
 * Durable Objects hold connections in a real workerd: over several requests, with heartbeats, past the death of the server.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { marked } from "../support/pages.ts";
import { host } from "./host.ts";
import type { Report } from "./objects_worker.ts";
import { begin, failure, finish, inWorkerd, pass, server, tell } from "./talk.ts";

/** Asks for reports until one is as it should be. Each is a request of its own. */
async function until(object: string, what: string, condition: (report: Report) => boolean): Promise<Report> {
  for (let i = 0;; i++) {
    const report = await tell<Report>(object, "report");
    if (condition(report)) return report;
    assertLess(i, 200, `${what} did not come to be: ${JSON.stringify(report)}`);
    await pass(100);
  }
}

inWorkerd("workerd starts with the root, which does nothing at the top level", async () => {
  await begin();
  const { message } = await failure("any", "detect");
  assertStringIncludes(message, "@holdfast/holdfast/workers");
});

inWorkerd("a Durable Object holds one connection over several requests", async () => {
  const { port } = await server();
  const opened = await tell<Report>("a", "connect", { hostname: "127.0.0.1", port });
  assertEquals([opened.state, opened.probesSent], ["open", 0]);
  await tell("a", "send", "one");
  await until("a", "the answer", ({ received }) => received.length === 1);
  // Nobody asks anything of it meanwhile.
  await pass(1_000);
  const later = await tell<Report>("a", "report");
  assertEquals(later.state, "open");
  assertGreater(later.probesSent, 1);
  await tell("a", "send", "two");
  const { received } = await until("a", "the answer", ({ received }) => received.length === 2);
  assertEquals(received, ["ONE", "TWO"]);
  assertEquals((await tell<Report>("a", "close")).code, "closed");
});

inWorkerd(
  "a server that stands still is noticed, in each of two Durable Objects of one isolate",
  async () => {
    const { program, port } = await server();
    for (const object of ["b1", "b2"]) await tell(object, "connect", { hostname: "127.0.0.1", port });
    for (const object of ["b1", "b2"]) await until(object, "a probe", ({ probesSent }) => probesSent > 1);
    // One of them ends. What woke it woke nobody else.
    await tell("b1", "abort");
    await pass(1_000);
    const alive = await tell<Report>("b2", "report");
    assertEquals(alive.state, "open");
    await tell("b1", "connect", { hostname: "127.0.0.1", port });
    program.kill("SIGSTOP");
    const stopped = performance.now();
    for (const object of ["b1", "b2"]) {
      const { code, health } = await until(object, "the verdict", ({ state }) => state === "closed");
      assertEquals([code, health], ["heartbeat-timeout", "suspect"]);
    }
    assertLess(performance.now() - stopped, 15_000);
    program.kill("SIGCONT");
    program.kill("SIGKILL");
  },
);

inWorkerd("an end, a reset and a drain are told as they are", async () => {
  const killed = await server();
  await tell("c", "connect", { hostname: "127.0.0.1", port: killed.port });
  killed.program.kill("SIGKILL");
  const { code } = await until("c", "the end", ({ state }) => state === "closed");
  assert(code === "closed" || code === "reset", `it ended with ${code}`);

  const drained = await server();
  await tell("d", "connect", { hostname: "127.0.0.1", port: drained.port });
  drained.program.send("drain");
  const report = await until("d", "the end", ({ state }) => state === "closed");
  assertEquals(report.code, "closed");
});

inWorkerd("a Durable Object comes back to a server that was started anew", async () => {
  const { program, port } = await server();
  await tell("e", "connect", { hostname: "127.0.0.1", port, lasting: true });
  program.kill("SIGKILL");
  await until("e", "the loss", ({ state }) => state === "away");
  await tell("e", "send", "while away");
  const again = await server("lines", port);
  const report = await until("e", "the answer", ({ received }) => received.length > 0);
  assertEquals([report.state, report.received], ["open", ["WHILE AWAY"]]);
  // And once more, from a server that only stands still.
  again.program.kill("SIGSTOP");
  await until("e", "the loss", ({ states }) => states.filter((state) => state === "away").length > 1);
  again.program.kill("SIGCONT");
  await until("e", "the way back", ({ state }) => state === "open");
  await tell("e", "send", "again");
  await until("e", "the answer", ({ received }) => received.at(-1) === "AGAIN");
  await tell("e", "close");
});

inWorkerd("a session loses nothing while its server stands still", async () => {
  const { program, port } = await server("frames");
  await tell("f", "connect", { hostname: "127.0.0.1", port, lasting: true, framed: true });
  await tell("f", "send", "1");
  await until("f", "the answer", ({ received }) => received.length === 1);
  program.kill("SIGSTOP");
  await tell("f", "send", "2");
  await until("f", "the loss", ({ state }) => state === "away");
  await tell("f", "send", "3");
  program.kill("SIGCONT");
  const { received } = await until("f", "the answers", ({ received }) => received.length >= 3);
  assertEquals(received, ["1", "2", "3"]);
  await tell("f", "close");
});

inWorkerd("a connection of one request is of no use to the next, and that is told", async () => {
  const { port } = await server();
  await tell("request", "connect", { hostname: "127.0.0.1", port });
  await tell("request", "send", "x");
  const { state, code, message } = await tell<Report>("request", "report");
  assertEquals([state, code], ["closed", "network-failed"]);
  assertStringIncludes(message ?? "", "belongs to another request");
});

/** What the names in an example stand for. */
const ALIAS = { "@holdfast/holdfast/workers": "lib/transport/workers.ts", "@holdfast/holdfast": "mod.ts" };

inWorkerd("the example in workers.ts holds one connection", async () => {
  const text = readFileSync(new URL("../../lib/transport/workers.ts", import.meta.url), "utf8");
  const [, example = ""] = /```ts ignore\n([\s\S]*?)```/.exec(text) ?? [];
  const { port } = await server();
  const link = await host(
    `${example.replace(/^ \* ?/gm, "")}
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const link = env.LINK.get(env.LINK.idFromName("only"));
    const line = new URL(request.url).pathname.slice(1);
    return Response.json(await (await link.fetch("http://link/", { method: "POST", body: line })).text());
  },
};`,
    { objects: { LINK: "Link" }, bindings: { HOST: "127.0.0.1", PORT: String(port) }, alias: ALIAS },
  );
  try {
    assertEquals(await link.ask<string>("/hello"), "HELLO");
    assertEquals(await link.ask<string>("/again"), "AGAIN");
  } finally {
    await link.stop();
  }
});

inWorkerd("README's lines connect", async () => {
  const { port } = await server();
  const code = marked("README.md", "worker").replace("8888", String(port));
  const [imports = "", statements = ""] = code.split("\n\n");
  const worker = await host(
    `${imports}
export default {
  async fetch(request: Request): Promise<Response> {
    ${statements}
    await connection.send(new URL(request.url).pathname.slice(1));
    for await (const line of connection) return Response.json(line);
    return Response.json(await connection.closed);
  },
};`,
    { alias: ALIAS },
  );
  try {
    assertEquals(await worker.ask<string>("/hello"), "HELLO");
  } finally {
    await worker.stop();
  }
});

inWorkerd("the Worker ends", async () => {
  await finish();
});
