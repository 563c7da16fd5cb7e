/**
 * The README does what it says: what is marked with `<!-- run: name -->` is run, as it stands there, on the
 * runtime that runs the tests. Only the port is another one, since 8888 may be taken.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const packageJson = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const denoJson = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));

/** How long a program may take to say something or to end, in milliseconds. */
const PATIENCE = 30_000;

const { versions } = process as { versions: Record<string, string | undefined> };
const runtime = versions["deno"] !== undefined ? "deno" : versions["bun"] !== undefined ? "bun" : "node";

/** The README's words for running a file, with the program that runs these tests in the place of the name. */
const RUN: Record<typeof runtime, { readonly words: string; readonly args: readonly string[] }> = {
  deno: { words: "deno run --allow-net server.ts", args: ["run", "--allow-net"] },
  bun: { words: "bun server.ts", args: [] },
  node: { words: "npx tsx server.ts", args: ["--import", "tsx"] },
};

/** The code block that follows the mark, or another text of the README. */
function blockAfter(mark: string): string {
  const start = README.indexOf(mark);
  assert(start >= 0, `README.md has no "${mark}"`);
  const block = /^```\w+\n([\s\S]*?)^```$/m.exec(README.slice(start))?.[1];
  assert(block !== undefined, `README.md has no code after "${mark}"`);
  return block;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A program under way, in a process group of its own. */
class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  stdout = "";
  stderr = "";

  constructor(command: string, args: readonly string[], cwd: string) {
    this.#child = spawn(command, args, {
      cwd,
      detached: true,
      env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout!.on("data", (chunk) => this.stdout += chunk);
    this.#child.stderr!.on("data", (chunk) => this.stderr += chunk);
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", resolve);
    });
  }

  /** Waits until it has said `text`. */
  async said(text: string): Promise<void> {
    for (const end = performance.now() + PATIENCE; !`${this.stdout}${this.stderr}`.includes(text);) {
      assert(performance.now() < end, `"${text}" was not said:\n${this.stdout}${this.stderr}`);
      assertEquals(this.#child.exitCode, null, `it ended:\n${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Its exit code, once it has ended. */
  async ended(): Promise<number | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it still runs:\n${this.stdout}${this.stderr}`)), PATIENCE);
    });
    try {
      return await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a signal to it and to what it started, as a terminal does for Ctrl-C. */
  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#child.pid!, signal);
    } catch {
      // It has ended by itself.
    }
  }
}

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
  const folder = mkdtempSync(join(ROOT, ".readme-"));
  writeFileSync(join(folder, "lasting.ts"), blockAfter("<!-- run: lasting -->"));
  const program = new Program(process.execPath, [...RUN[runtime].args, join(folder, "lasting.ts")], ROOT);
  try {
    assertEquals([await program.ended(), program.stdout], [0, "closing\nclosed\n"], program.stderr);
  } finally {
    program.signal("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

test("README: the quick start runs as it stands there", { timeout: 4 * PATIENCE }, async () => {
  const { words, args } = RUN[runtime];
  assertStringIncludes(README, `\`${words}\``);
  const server = blockAfter("<!-- run: server -->"), client = blockAfter("<!-- run: client -->");
  assertLessOrEqual(`${server}${client}`.split("\n").length, 21, "the quick start has 20 lines at most");

  const port = await freePort();
  // Inside the checkout, where "@holdfast/holdfast" is known by name.
  const folder = mkdtempSync(join(ROOT, ".readme-"));
  const programs: Program[] = [];
  const run = (name: string, text: string): Program => {
    assertStringIncludes(text, "8888");
    writeFileSync(join(folder, name), text.replaceAll("8888", String(port)));
    const program = new Program(process.execPath, [...args, join(folder, name)], ROOT);
    programs.push(program);
    return program;
  };
  try {
    await run("server.ts", server).said("listening on");
    const program = run("client.ts", client);
    assertEquals(
      [await program.ended(), program.stdout],
      [0, blockAfter("The client prints")],
      program.stderr,
    );
  } finally {
    for (const program of programs) program.signal("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

test("README: its command starts the heartbeat server", { timeout: 4 * PATIENCE }, async () => {
  const [first = ""] = blockAfter(`<!-- run: ${runtime} -->`).trim().split("\n");
  // npm dies of the Ctrl-C that it passes on, and its own exit code says nothing: so we run what it runs.
  const command = first === "npm install && npm start" ? packageJson.scripts.start : first;
  const [name, ...args] = command.split(" ");
  assertEquals(name, runtime);
  const port = await freePort();
  const program = new Program(process.execPath, [...args, "serve", "--port", String(port)], ROOT);
  try {
    await program.said(`listening on 127.0.0.1:${port}`);
    assertEquals(await ask(port, "hello", 5), "HELLO");
    program.signal("SIGINT");
    assertEquals(await program.ended(), 0, program.stderr);
  } finally {
    program.signal("SIGKILL");
  }
});

test("README: the commands for the tests are there", () => {
  for (const name of ["node", "deno", "bun"]) {
    const [, second = ""] = blockAfter(`<!-- run: ${name} -->`).trim().split("\n");
    const [, tool, script] = /&& (\w+) (?:run |task )?([\w:]+)$/.exec(second) ?? [];
    const scripts = tool === "deno" ? denoJson.tasks : packageJson.scripts;
    assertEquals(typeof scripts[script!], "string", `README.md says "${second}"`);
  }
});
