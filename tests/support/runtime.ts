/**
 * Starts a program of the tests on the runtime that runs the tests.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A program under way. */
export interface Program {
  /** Its process. With {@linkcode ProgramOptions.descriptors} it is still the program's own, as the shell execs it. */
  readonly pid: number;
  /** Its next line on standard output; rejects if it ends before, or stays silent for too long. */
  line(): Promise<string>;
  /** Sends one line to its standard input. */
  send(line: string): void;
  /** Sends a signal to it. */
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
  /** Resolves to its exit code once it has ended, with `-1` if it was killed; rejects if that takes too long. */
  readonly ended: (within?: number) => Promise<number>;
  /** What it wrote to standard error so far. */
  stderr(): string;
}

/** How to start a program. */
export interface ProgramOptions {
  /** Most file descriptors it may hold (`ulimit -n`). */
  readonly descriptors?: number;
}

/** The checkout, in which module names resolve. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How long a program may take for one line or for its end, in milliseconds. */
const PATIENCE = 30_000;

/** Whether {@linkcode ProgramOptions.descriptors} works here. */
export const hasUlimit: boolean = existsSync("/bin/sh") && existsSync("/proc/self/fd");

/** Command line that runs `file` on the current runtime. */
export function commandFor(file: string, args: readonly string[]): [string, ...string[]] {
  const { versions } = process as { versions: Record<string, string | undefined> };
  if (versions.deno !== undefined) {
    const map = fileURLToPath(new URL("import_map.json", import.meta.url));
    return [process.execPath, "run", "-A", "--no-lock", "--no-check", "--import-map", map, file, ...args];
  }
  if (versions.bun !== undefined) return [process.execPath, "run", file, ...args];
  const { typescript } = process.features as { typescript?: unknown };
  return [process.execPath, ...(typescript ? [] : ["--import", "tsx"]), file, ...args];
}

/** Starts `program`, the URL of a TypeScript file, with `args`. */
export function start(program: URL, args: readonly string[] = [], options: ProgramOptions = {}): Program {
  let command = commandFor(fileURLToPath(program), args);
  if (options.descriptors !== undefined) {
    command = ["/bin/sh", "-c", `ulimit -n ${options.descriptors}; exec "$@"`, "sh", ...command];
  }
  const child = spawn(command[0], command.slice(1), {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.stdin.on("error", () => {}); // It may end before it has read all.

  const lines: string[] = [];
  let wake = () => {};
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line: string) => {
    lines.push(line);
    wake();
  });
  let code: number | undefined;
  const closed = once(child, "close").then(([status]: (number | null)[]) => {
    code = status ?? -1;
    wake();
    return code;
  });

  return {
    pid: child.pid!,
    async line() {
      const until = performance.now() + PATIENCE;
      while (lines.length === 0) {
        if (code !== undefined) throw new Error(`${program.pathname} ended with ${code}:\n${stderr}`);
        if (performance.now() > until) throw new Error(`${program.pathname} said nothing:\n${stderr}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, PATIENCE);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return lines.shift()!;
    },
    send: (line) => void child.stdin.write(`${line}\n`),
    kill(signal) {
      // Not child.kill, which on Deno works only once.
      try {
        if (code === undefined) process.kill(child.pid!, signal);
      } catch {
        // It has ended, and we were not told yet.
      }
    },
    async ended(within = PATIENCE) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`${program.pathname} still runs after ${within} ms:\n${stderr}`)),
          within,
        );
      });
      try {
        return await Promise.race([closed, late]);
      } finally {
        clearTimeout(timer);
      }
    },
    stderr: () => stderr,
  };
}
