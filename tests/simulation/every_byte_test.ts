/**
 * One session, cut at every byte of it, one after the other: nothing is lost, doubled or out of order.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { connect } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import { frames } from "../../lib/protocol/frames.ts";
import type { Protocol } from "../../lib/protocol/protocol.ts";
import { serve } from "../../lib/server.ts";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import type { Message } from "./codec.ts";
import { Host } from "./host.ts";
import { Lots } from "./lots.ts";
import { Net } from "./net.ts";
import { type Habits, Process } from "./process.ts";
import { fillFrom } from "./sessions_plan.ts";
import { NO_WAYS } from "./sites.ts";
import { type Cut, type CutKind, type Tap, TappedHost } from "./tap.ts";
import { World } from "./world.ts";

/** What each end sends: an empty message, text, bytes, and one in pieces. */
const MESSAGES: readonly (readonly [at: number, message: Message])[] = [
  [10, "one"],
  [10, new Uint8Array(0)],
  [60, "drei ☃"],
  [400, new Uint8Array(40).fill(7)],
  [401, "last"],
];

/** When all must be over, and how long a link may be silent. */
const LIMIT = 30_000;
const HEARTBEAT = { interval: 300, timeout: 200 };
const HABITS: Habits = { early: 0, late: 0, timersFirst: true, slowWrites: false };

/** A cut of the connection with this number, counted from 0. */
interface Place {
  readonly connection: number;
  readonly side: "client" | "server";
  readonly cut: Cut;
}

/**
 * How it went: what each end took, how many bytes each connection brought to each end before the goodbyes, and the
 * reasons at the end.
 */
interface Course {
  readonly taken: { readonly client: Message[]; readonly server: Message[] };
  readonly bytes: { client: number; server: number }[];
  readonly ends: string[];
}

/** Both ends send their messages, with cuts at these places, and finish. */
async function run(places: readonly Place[], messages = MESSAGES, pieceBytes?: number): Promise<Course> {
  const world = new World(1, false);
  const network = memoryNetwork({ clock: world.networkClock(new Lots(2)) });
  const net = new Net(network, world);
  net.shapeAll({ delay: 3 });
  const taps: { client?: Tap; server?: Tap }[] = [];
  const transportOf = (process: Process): Transport =>
    new TappedHost(new Host({ process, net, ways: NO_WAYS }), net, (tap) => {
      const number = Number(tap.route.name.slice(1)) - 1;
      (taps[number] ??= {})[tap.side] = tap;
      tap.cut = places.find(({ connection, side }) => connection === number && side === tap.side)?.cut;
    });
  const optionsOf = (process: Process) => ({
    protocol: frames({
      fillRandom: fillFrom(new Lots(3)),
      ...(pieceBytes !== undefined && { pieceBytes }),
    }) as Protocol<Message, Message>,
    transport: transportOf(process),
    clock: process,
    heartbeat: HEARTBEAT,
    handshakeTimeout: 250,
    minPingGap: 1,
  });
  const taken: Course["taken"] = { client: [], server: [] };
  const ends: string[] = [];
  const talk = (process: Process, connection: Connection<Message, Message>, into: Message[]) => {
    connection.onMessage = (message) =>
      void into.push(typeof message === "string" ? message : new Uint8Array(message));
    for (const [at, message] of messages) process.after(at, () => void connection.send(message));
    void connection.closed.then(({ code, unacknowledged }) =>
      ends.push(`${process.name} ${code} ${unacknowledged.length}`)
    );
  };

  const home = new Process("server", world, new Lots(4), HABITS);
  const away = new Process("client", world, new Lots(5), HABITS);
  const where = { hostname: "every-byte", port: 1 };
  const server = await serve<Message, Message>(
    { ...optionsOf(home), ...where, resume: true },
    (connection) => talk(home, connection, taken.server),
  );
  const reconnect = { initial: 20, max: 100, waitForFirst: true };
  let client: Connection<Message, Message> | undefined;
  away.after(
    0,
    () =>
      void connect<Message, Message>(where, { ...optionsOf(away), resume: true, reconnect, timeout: 250 })
        .then((connection) => talk(away, client = connection, taken.client)),
  );
  const all = messages.length;
  await world.run(LIMIT, () => taken.client.length >= all && taken.server.length >= all && world.now > 450);
  // Acknowledgements come now, and whatever is doubled.
  await world.run(world.now + 250);
  const bytes = taps.map(({ client, server }) => ({ client: client?.read ?? 0, server: server?.read ?? 0 }));
  away.after(0, () => void client?.close());
  await world.run(world.now + 10_000);
  // A first hello that the server answered and the client never read has left a session behind.
  home.after(0, () => server.abort());
  await world.run(world.now + 1_000);
  assertEquals(world.violations, []);
  return { taken, ends, bytes };
}

/** Checks one course. A session that the client never heard of may have been begun before its own. */
function check(
  { taken, ends }: Course,
  messages: readonly (readonly [number, Message])[],
  where: string,
): void {
  const sent = messages.map(([, message]) => message);
  assertEquals({ where, ...taken }, { where, client: sent, server: sent });
  // The link may be dead when it closes; but nothing is left to be told.
  const lost = ends.filter((end) => end.startsWith("client")).map((end) => end.split(" ")[2]);
  assertEquals([where, ...lost], [where, "0"]);
}

const KINDS: readonly CutKind[] = ["reset", "hole", "end", "stall"];
const SIDES = ["client", "server"] as const;

function cutAt(at: number, how: CutKind): Cut {
  return { at, how, both: how === "hole", lasts: 700 };
}

for (const how of KINDS) {
  test(
    `A session survives a cut (${how}) at every byte of each direction`,
    { timeout: 120_000 },
    async () => {
      const { bytes } = await run([]);
      assertEquals(bytes.length, 1);
      let runs = 0;
      for (const side of SIDES) {
        // The hellos, all messages, and what keeps them company.
        const length = bytes[0]![side];
        assertGreater(length, 120);
        for (let at = 0; at <= length; at++) {
          const course = await run([{ connection: 0, side, cut: cutAt(at, how) }]);
          check(course, MESSAGES, `${how} after byte ${at} to the ${side}`);
          runs++;
        }
      }
      console.log(`a session cut ${runs} times: ${how}`);
    },
  );
}

test(
  "A session survives a second cut at every byte of its second connection",
  { timeout: 120_000 },
  async () => {
    const { bytes } = await run([]);
    for (const side of SIDES) {
      // In the midst of the messages of 10 ms.
      const first: Place = { connection: 0, side, cut: cutAt(Math.floor(bytes[0]![side] / 3), "reset") };
      const again = await run([first]);
      for (const other of SIDES) {
        const length = again.bytes[1]![other];
        assertGreater(length, 76);
        for (let at = 0; at <= length; at++) {
          for (const how of ["reset", "stall"] as const) {
            const course = await run([first, { connection: 1, side: other, cut: cutAt(at, how) }]);
            check(course, MESSAGES, `${how} after byte ${at} to the ${other} of the second connection`);
          }
        }
      }
    }
  },
);

test("A long message is sent again whole, wherever its pieces are cut", { timeout: 120_000 }, async () => {
  const long = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251);
  const messages: readonly (readonly [number, Message])[] = [[10, "before"], [10, long], [10, "after"]];
  const { bytes } = await run([], messages, 4_096);
  for (const side of SIDES) {
    for (let at = 0; at <= bytes[0]![side]; at += 1_021) {
      const course = await run([{ connection: 0, side, cut: cutAt(at, "reset") }], messages, 4_096);
      check(course, messages, `reset after byte ${at} to the ${side}`);
    }
  }
});
