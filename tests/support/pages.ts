/**
 * The pages for people, README.md and docs/: their code, and programs that run it as it stands there.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The checkout, in which module names resolve. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** How long a program may take to say something or to end, in milliseconds. */
export const PATIENCE = 30_000;

const { versions } = process as { versions: Record<string, string | undefined> };

/** The runtime that runs the tests. */
export const runtime: "deno" | "bun" | "node" = versions["deno"] !== undefined
  ? "deno"
  : versions["bun"] !== undefined
  ? "bun"
  : "node";

/** How that runtime runs a file of TypeScript. A program that needs no more than the network is not allowed more. */
const ARGS: Record<typeof runtime, readonly string[]> = {
  deno: ["run", "--allow-net"],
  bun: [],
  node: ["--import", "tsx"],
};

/** A block of code. */
export interface Block {
  /** What stands after the opening fence: `ts`, `sh`, `text`. */
  readonly language: string;
  /** The name in the `<!-- run: name -->` before it; `""` without one. */
  readonly mark: string;
  readonly text: string;
  /** Line of the opening fence, from 1 on. */
  readonly line: number;
}

/** The text of a page, by its path from the root. */
export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** All blocks of code in a Markdown text, in order. */
export function blocksOf(markdown: string): Block[] {
  const fences = /(?:<!-- run: ([\w-]+) -->\s*)?^```([^\n]*)\n([\s\S]*?)^```$/gm;
  return [...markdown.matchAll(fences)].map((
    { 0: whole, 1: mark = "", 2: language = "", 3: text = "", index },
  ) => ({
    language,
    mark,
    text,
    line: markdown.slice(0, index + whole.indexOf("```")).split("\n").length,
  }));
}

/** A program on a page, and what the page says that it prints; `undefined` if it does not say. */
export interface Example {
  readonly page: string;
  readonly block: Block;
  readonly prints: string | undefined;
}

/** All pages of docs/, as paths from the root. */
export const PAGES: readonly string[] = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"))
  .sort().map((name) => `docs/${name}`);

/** The blocks of TypeScript on a page. */
export function examplesOf(page: string): Example[] {
  const markdown = readPage(page), blocks = blocksOf(markdown);
  return blocks.flatMap((block, i) => {
    if (block.language !== "ts") return [];
    const next = blocks[i + 1];
    const between = markdown.split("\n").slice(block.line, (next?.line ?? 1) - 1).join("\n");
    const printed = next?.language === "text" && /```\s+It prints\s*$/.test(between);
    return [{ page, block, prints: printed ? next.text : undefined }];
  });
}

/** The block of `page` with that mark. */
export function marked(page: string, mark: string): string {
  const blocks = blocksOf(readPage(page)).filter((block) => block.mark === mark);
  assertEquals(blocks.length, 1, `${page} must have one block marked "${mark}"`);
  return blocks[0]!.text;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A program under way, in a process group of its own. */
export class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #onEnd: () => void = () => {};
  stdout = "";
  stderr = "";

  constructor(command: string, args: readonly string[], cwd: string = ROOT) {
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
      this.#child.on("close", (code) => {
        this.#onEnd();
        resolve(code);
      });
    });
    this.#ended.catch(() => {});
  }

  /**
   * A program of `text`, run by the runtime that runs the tests, from a file inside the checkout, where
   * `@holdfast/holdfast` is known by name. `beside` are files next to it, by name.
   */
  static of(text: string, beside: Readonly<Record<string, string>> = {}): Program {
    const folder = mkdtempSync(join(ROOT, ".readme-"));
    for (const [name, text] of Object.entries(beside)) writeFileSync(join(folder, name), text);
    const file = join(folder, "example.ts");
    writeFileSync(file, text);
    const program = new Program(process.execPath, [...ARGS[runtime], file]);
    program.#onEnd = () => rmSync(folder, { recursive: true, force: true });
    return program;
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

  /** Ends it, if it has not, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended.catch(() => {});
  }
}
