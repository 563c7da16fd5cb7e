import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { start } from "../support/runtime.ts";

test(
  "A process with nothing but a listener that has died lives until it is open again",
  { timeout: 60_000 },
  async () => {
    const held = start(new URL("programs/alone.ts", import.meta.url));
    assertEquals(await held.line(), "reopened");
    assertEquals(await held.ended(), 0, held.stderr());
    const unheld = start(new URL("programs/alone.ts", import.meta.url), ["unref"]);
    assertEquals(await unheld.ended(), 0, unheld.stderr());
    assertEquals(await unheld.line().catch(() => "nothing"), "nothing");
  },
);
