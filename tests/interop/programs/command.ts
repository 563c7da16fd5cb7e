/**
 * Runs the command as its users do, on the runtime that runs the tests, and programs that speak to it.
 *
 * @module
 */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** The checkout. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** How long anything may take before the test gives up on it, in milliseconds. */
const PATIENCE = 20_000;

const { versions } = process as { versions: Record<string, string | undefined> };

/** Whether the tests run on Deno, which asks for permissions. */
export const onDeno: boolean = versions.deno !== undefined;

/** Permissions of Deno that the command needs for TCP. */
export const NET: readonly string[] = ["--allow-net"];
/** Permissions of Deno that the command needs for Unix sockets. */
export const UNIX: readonly string[] = ["--allow-net", "--allow-read", "--allow-write"];

/** Permissions of Deno that the command needs for TCP and a key. */
export const READING: readonly string[] = ["--allow-net", "--allow-read"];

/** A process under way. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly pid: number;
  /** The next line on standard output. Rejected if the process ends before. */
  line(): Promise<string>;
  /** All that was written to standard output so far and not taken by {@linkcode line}. */
  output(): Uint8Array;
  /** What was written to standard error so far. */
  errors(): string;
  /** The exit code once it has ended, or the name of the signal that killed it. */
  ended(within?: number): Promise<number | string>;
  kill(signal: "SIGINT" | "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
}

/** Processes that have not ended. */
const running = new Set<Running>();

process.on("exit", () => running.forEach((program) => program.kill("SIGKILL")));

/** Starts the command with `args`. `permissions` are what Deno is given. */
export function holdfast(args: readonly string[], permissions: readonly string[] = NET): Running {
  if (onDeno) {
    // By a way round: where Deno's node:child_process sees Deno's own path, it adds `-A` to the arguments.
    return launch("sh", ["-c", 'exec "$DENO" run --no-prompt "$@"', "sh", ...permissions, "mod.ts", ...args]);
  }
  if (versions.bun !== undefined) return launch(process.execPath, ["run", "mod.ts", ...args]);
  const { typescript } = process.features as { typescript?: unknown };
  const loader = typescript ? [] : ["--import", "tsx"];
  return launch(process.execPath, [...loader, "lib/cli/bin.ts", ...args]);
}

/** `holdfast serve` under way. */
export interface Serving extends Running {
  readonly port: string;
  /** Its first line. */
  readonly banner: string;
}

/** Starts `holdfast serve` on a free port. Resolves once it listens. */
export async function serving(...args: string[]): Promise<Serving> {
  // A key is read from a file.
  const permissions = args.includes("--key") ? READING : NET;
  const server = holdfast(["serve", "--port", "0", ...args], permissions);
  const banner = await server.line();
  const port = /:(\d+),/.exec(banner)![1]!;
  return Object.assign(server, { port, banner });
}

let shared: Promise<Serving> | undefined;

/** `holdfast serve --verbose`, one for all tests that do it no harm. */
export function sharedServer(): Promise<Serving> {
  shared ??= serving("--verbose");
  return shared;
}

/** Starts a scenario of `plain_client.py`. */
export function plain(where: string, scenario: string, ...args: string[]): Running {
  return launch("python3", [
    fileURLToPath(new URL("plain_client.py", import.meta.url)),
    where,
    scenario,
    ...args,
  ]);
}

/** Runs a scenario of `plain_client.py` and returns what it found. */
export async function told<T>(where: string, scenario: string, ...args: string[]): Promise<T> {
  return JSON.parse(await plain(where, scenario, ...args).line());
}

/** Why `program` cannot be run here, as a `skip` of a test; `false` if it can. */
export function lacking(program: string, ...probe: string[]): string | false {
  return spawnSync(program, probe).error === undefined ? false : `${program} is not installed`;
}

/** Starts any program. */
export function launch(program: string, args: readonly string[]): Running {
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", DENO: process.execPath };
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ["pipe", "pipe", "pipe"] });
  let stdout: Uint8Array[] = [], stderr = "", wake = () => {};
  let end: number | string | undefined;
  child.stdin.on("error", () => {}); // It may end before it has read all.
  child.stdout.on("data", (chunk: Uint8Array) => {
    stdout.push(chunk);
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.on("error", (error) => stderr += String(error));
  const closed = new Promise<void>((resolve) =>
    child.on("close", (code, signal) => {
      end = code ?? signal ?? "lost";
      running.delete(self);
      wake();
      resolve();
    })
  );
  const self: Running = {
    child,
    pid: child.pid!,
    async line() {
      const until = performance.now() + PATIENCE;
      for (;;) {
        const bytes = Buffer.concat(stdout);
        const size = bytes.indexOf(10);
        if (size >= 0) {
          stdout = [bytes.subarray(size + 1)];
          return bytes.toString("utf8", 0, size);
        }
        if (end !== undefined) throw new Error(`${program} ${args.join(" ")} ended with ${end}: ${stderr}`);
        if (performance.now() > until) {
          throw new Error(`${program} ${args.join(" ")} said nothing: ${stderr}`);
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 1000);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    output: () => Buffer.concat(stdout),
    errors: () => stderr,
    async ended(within = PATIENCE) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        const error = new Error(`${program} ${args.join(" ")} still runs after ${within} ms`);
        timer = setTimeout(() => reject(error), within);
      });
      try {
        await Promise.race([closed, late]);
      } finally {
        clearTimeout(timer);
      }
      return end!;
    },
    // Not `child.kill()`: on Deno it works once, and then the child is said to have died of it whatever it does.
    kill(signal) {
      try {
        if (end === undefined) process.kill(child.pid!, signal);
      } catch (error) {
        // It ended a moment ago.
        if ((error as { code?: unknown }).code !== "ESRCH") throw error;
      }
    },
  };
  running.add(self);
  return self;
}

/** Runs `test`, and kills whatever it has started and left behind, but for the shared server. */
function tidily(test: () => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await test();
    } finally {
      const spared = await shared;
      const left = [...running].filter((program) => program !== spared);
      for (const program of left) program.kill("SIGKILL");
      await Promise.all(left.map((program) => program.ended()));
    }
  };
}

/** Why there is no Python here, for tests that need it; `false` if there is. */
export const noPython: string | false = lacking("python3", "--version");
if (noPython) console.log(`skipped: ${noPython}`);

/** Declares a test. */
export function check(name: string, body: () => Promise<void>, skip: string | boolean = false): void {
  test(name, { timeout: 60_000, skip }, tidily(body));
}

/** Declares a test that needs a plain socket in Python. */
export function withPython(name: string, body: () => Promise<void>): void {
  check(name, body, noPython);
}

/** Waits for `milliseconds`. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + PATIENCE; !condition();) {
    if (performance.now() > end) throw new Error(`Still waiting for ${condition}`);
    await pause(10);
  }
}

/** Whether `text` is exactly one line. */
export function isOneLine(text: string): boolean {
  return /^[^\n]+\n$/.test(text);
}
