import { execFile } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertMatch, assertStrictEquals } from "@std/assert";
import { noProc } from "../support/proc_net.ts";
import { commandFor } from "../support/runtime.ts";

const SOAK = fileURLToPath(new URL("../../scripts/soak.ts", import.meta.url));

if (noProc !== false) console.log(`skipped: ${noProc}`);

test(
  "a soak of 40 s, which makes 2 minutes on three runtimes, leaves nothing behind",
  { timeout: 175_000, skip: noProc },
  async () => {
    const [program, ...args] = commandFor(SOAK, ["--seconds", "40", "--connections", "400"]);
    const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
      const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
      const child = execFile(
        program,
        args,
        { env, timeout: 165_000 },
        (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
      );
    });
    assertStrictEquals(code, 0, output);
    assertMatch(output, /nothing has grown, nothing was lost/);
  },
);
