/**
 * README.md and SECURITY.md do what they say: what is marked with `<!-- run: name -->` is run, as it stands there, on
 * the runtime that runs the tests. Only the port is another one, since 8888 may be taken.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { connect } from "node:net";
import process from "node:process";
import { blocksOf, freePort, marked, PATIENCE, Program, readPage, ROOT, runtime } from "./support/pages.ts";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const README = readPage("README.md");
const packageJson = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const denoJson = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));

/** The README's words for running a file. */
const WORDS: Record<typeof runtime, string> = {
  deno: "deno run --allow-net server.ts",
  bun: "bun server.ts",
  node: "npx tsx server.ts",
};

/** The block of the README with that mark. */
const block = (mark: string): string => marked("README.md", mark);

/** Sends `text` to a server and returns the first `size` characters of its answer. */
async function ask(port: number, text: string, size: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setTimeout(PATIENCE, () => socket.destroy(new Error("no answer")));
  let answer = "";
  try {
    socket.write(text);
    for await (const chunk of socket) {
      answer += chunk;
      if (answer.length >= size) break;
    }
  } finally {
    socket.destroy();
  }
  return answer.slice(0, size);
}

test("README: the lasting connection runs as it stands there", { timeout: 2 * PATIENCE }, async () => {
  await using program = Program.of(block("lasting"));
  assertEquals([await program.ended(), program.stdout], [0, "closing\nclosed\n"], program.stderr);
});

test("README: the quick start runs as it stands there", { timeout: 4 * PATIENCE }, async () => {
  assertStringIncludes(README, `\`${WORDS[runtime]}\``);
  const server = block("server"), client = block("client");
  assertLessOrEqual(`${server}${client}`.split("\n").length, 21, "the quick start has 20 lines at most");
  const [printed] = blocksOf(README.slice(README.indexOf("The client prints")));

  const port = await freePort();
  const run = (text: string): Program => {
    assertStringIncludes(text, "8888");
    return Program.of(text.replaceAll("8888", String(port)));
  };
  await using listening = run(server);
  await listening.said("listening on");
  await using program = run(client);
  assertEquals([await program.ended(), program.stdout], [0, printed?.text], program.stderr);
});

test("README: its command starts the heartbeat server", { timeout: 4 * PATIENCE }, async () => {
  const [first = ""] = block(runtime).trim().split("\n");
  // npm dies of the Ctrl-C that it passes on, and its own exit code says nothing: so we run what it runs.
  const command = first === "npm install && npm start" ? packageJson.scripts.start : first;
  const [name, ...args] = command.split(" ");
  assertEquals(name, runtime);
  const port = await freePort();
  await using program = new Program(process.execPath, [...args, "serve", "--port", String(port)]);
  await program.said(`listening on 127.0.0.1:${port}`);
  assertEquals(await ask(port, "hello", 5), "HELLO");
  program.signal("SIGINT");
  assertEquals(await program.ended(), 0, program.stderr);
});

test("README: the commands for the tests are there", () => {
  for (const name of ["node", "deno", "bun"]) {
    const [, second = ""] = block(name).trim().split("\n");
    const [, tool, script] = /&& (\w+) (?:run |task )?([\w:]+)$/.exec(second) ?? [];
    const scripts = tool === "deno" ? denoJson.tasks : packageJson.scripts;
    assertEquals(typeof scripts[script!], "string", `README.md says "${second}"`);
  }
});

test("SECURITY: its server serves, and its client connects to it", { timeout: 4 * PATIENCE }, async () => {
  const port = await freePort();
  const run = (mark: string) => Program.of(marked("SECURITY.md", mark).replaceAll("8888", String(port)));
  await using server = run("public-server");
  await server.said("listening on");
  await using client = run("follow");
  assertEquals([await client.ended(), client.stderr], [0, ""]);
});

test("README and SECURITY: all their code is run", () => {
  for (const [page, marks] of [["README.md", 4], ["SECURITY.md", 2]] as const) {
    const blocks = blocksOf(readPage(page)).filter(({ language }) => language === "ts");
    assertEquals([blocks.length, blocks.filter(({ mark }) => mark === "")], [marks, []], page);
  }
});
