/**
 * A server of ours and a peer in another language, which was written from `docs/protocol.md` alone.
 *
 * @module
 */

import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertEquals, assertGreater, assertStrictEquals } from "@std/assert";
import { frames, serve, type ServeOptions } from "@holdfast/holdfast";
import { killAll, lacking, launch } from "../support/processes.ts";

const PEER = fileURLToPath(new URL("frames_peer.py", import.meta.url));
const KEY = "00112233445566778899aabbccddeeff";
const KEYED = frames({ key: Uint8Array.from(KEY.match(/../g)!, (pair) => parseInt(pair, 16)) });

const skip = lacking("python3", "--version");
if (skip) console.log(`skipped: ${skip}`);

interface Finding {
  readonly ok?: boolean;
  readonly what?: string;
  readonly done?: boolean;
}

/** Runs one scenario of the peer against a server with `options`. Returns the messages of each connection or session. */
async function play(
  scenario: string,
  options: Partial<ServeOptions<Uint8Array | string, Uint8Array | string>> = {},
  args: readonly string[] = [],
): Promise<(Uint8Array | string)[][]> {
  const received: (Uint8Array | string)[][] = [];
  await using server = await serve<Uint8Array | string, Uint8Array | string>(
    { protocol: frames(), ...options, port: 0 },
    (connection) => {
      const messages: (Uint8Array | string)[] = [];
      received.push(messages);
      connection.onMessage = (message) => {
        messages.push(message);
        if (message === "please drain") void server.drain({ timeout: 5_000, retryAfter: 10 });
        else void connection.send(message).catch(() => {});
      };
    },
  );
  const { port } = server.address as { port: number };
  const peer = launch(["python3", PEER, "127.0.0.1", String(port), scenario, ...args]);
  try {
    const bad: Finding[] = [];
    let good = 0;
    for (let finding = await peer.told<Finding>(); !finding.done; finding = await peer.told<Finding>()) {
      if (finding.ok) good++;
      else bad.push(finding);
    }
    assertEquals(bad, [], args.join(" "));
    assertGreater(good, 0);
    assertStrictEquals(await peer.ended(), 0);
  } finally {
    await killAll();
    server.abort();
  }
  return received;
}

const patient = { timeout: 120_000, skip };

test("a peer from the page greets and parts", patient, async () => {
  await play("hello");
});

test("a peer from the page sends bytes and text, of any length, and gets them back", patient, async () => {
  await play("echo");
});

test("a peer from the page asks, and is asked", patient, async () => {
  await play("ping", { minPingGap: 200, heartbeat: { interval: 500, timeout: 2_000 } });
});

test("a peer from the page proves that it has the key, and is found out if not", patient, async () => {
  await play("heartbeat", { protocol: KEYED }, ["--key", KEY]);
});

test("a peer from the page is drained", patient, async () => {
  await play("drain", { resume: true });
});

for (const keyed of [false, true]) {
  const how = keyed ? "with a key" : "without a key";
  test(`a peer from the page comes back to its session again and again, ${how}`, patient, async () => {
    const seed = ["--seed", String(Math.floor(Math.random() * 1e6))];
    const sessions = keyed
      ? await play("resume", { resume: true, protocol: KEYED }, [...seed, "--key", KEY])
      : await play("resume", { resume: true }, seed);
    const numbers = sessions[0]!.map((message) => Number(String(message).split(":")[0]));
    assertEquals(numbers, Array.from({ length: 400 }, (_, i) => i + 1));
  });
}

test("a peer that breaks the rules is told so", patient, async () => {
  await play("malformed");
});

test("a stranger is not answered", patient, async () => {
  await play("stranger");
});
