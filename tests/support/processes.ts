/**
 * Starts any command, talks to it by lines, and sees to it that nothing is left running.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A command under way. */
export interface Running {
  readonly pid: number;
  /** Its next line on standard output, as JSON; rejects if it ends before, or stays silent for too long. */
  told<T>(): Promise<T>;
  /** Sends one line to its standard input. */
  tell(line: string): void;
  /** Ends its standard input. */
  closeInput(): void;
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
  /** Resolves to its exit code once it has ended, with `-1` if it was killed. */
  ended(within?: number): Promise<number>;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How long a command may take for one line or for its end, in milliseconds. */
const PATIENCE = 30_000;

const running = new Set<Running>();

/** Why `program` cannot be run here; `false` if it can. */
export function lacking(program: string, ...probe: string[]): string | false {
  return spawnSync(program, probe).error === undefined ? false : `${program} is not installed`;
}

/** Waits for `milliseconds`. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Starts `command`. It must be the program itself, not a script that starts it: signals are sent to it alone. */
export function launch(command: readonly string[]): Running {
  const child = spawn(command[0]!, command.slice(1), {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const name = command.join(" ");
  let stdout = "", stderr = "", code: number | undefined, wake = () => {};
  child.stdin.on("error", () => {}); // It may end before it has read all.
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.on("error", (error) => stderr += String(error));
  const closed = new Promise<void>((resolve) =>
    child.on("close", (status) => {
      code = status ?? -1;
      running.delete(self);
      wake();
      resolve();
    })
  );

  const self: Running = {
    pid: child.pid ?? 0,
    async told<T>() {
      const until = performance.now() + PATIENCE;
      for (;;) {
        const end = stdout.indexOf("\n");
        if (end >= 0) {
          const line = stdout.slice(0, end);
          stdout = stdout.slice(end + 1);
          return JSON.parse(line) as T;
        }
        if (code !== undefined) throw new Error(`${name} ended with ${code}: ${stderr}`);
        if (performance.now() > until) throw new Error(`${name} said nothing: ${stderr}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 1_000);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    closeInput: () => void child.stdin.end(),
    kill(signal) {
      // Not child.kill, which on Deno works only once.
      if (code === undefined) process.kill(child.pid!, signal);
    },
    async ended(within = PATIENCE) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`${name} still runs after ${within} ms: ${stderr}`)),
          within,
        );
      });
      try {
        await Promise.race([closed, late]);
      } finally {
        clearTimeout(timer);
      }
      return code!;
    },
  };
  running.add(self);
  return self;
}

/** Kills everything that was launched and still runs. */
export async function killAll(): Promise<void> {
  const left = [...running];
  for (const command of left) command.kill("SIGKILL");
  await Promise.all(left.map((command) => command.ended()));
}
