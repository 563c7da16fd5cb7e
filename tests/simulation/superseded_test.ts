/**
 * A session has one connection at a time: who comes with its ticket takes it over, and the other is told.
 *
 * @module
 */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { connect } from "../../lib/client.ts";
import type { Connection } from "../../lib/connection.ts";
import { frames } from "../../lib/protocol/frames.ts";
import type { Protocol } from "../../lib/protocol/protocol.ts";
import { serve } from "../../lib/server.ts";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import type { Message } from "./codec.ts";
import { Thief } from "./guests.ts";
import { Host } from "./host.ts";
import { Ledger } from "./ledger.ts";
import { Lots } from "./lots.ts";
import { Net } from "./net.ts";
import { Process } from "./process.ts";
import { drawSessionPace, fillFrom } from "./sessions_plan.ts";
import { NO_WAYS, type SessionScene } from "./sites.ts";
import { TappedHost } from "./tap.ts";
import { World } from "./world.ts";

test("Who comes with the same ticket takes the session over; the older connection ends as superseded", async () => {
  const world = new World(1, false);
  const network = memoryNetwork({ clock: world.networkClock(new Lots(2)) });
  const net = new Net(network, world);
  const lots = new Lots(3), ledger = new Ledger();
  const pace = drawSessionPace(lots);
  const scene: SessionScene = { world, net, lots, pace, ledger, talkers: [], perils: 0, calm: false };
  const habits = { early: 0, late: 0, timersFirst: true, slowWrites: false };
  const home = new Process("server", world, new Lots(4), habits);
  const away = new Process("client", world, new Lots(5), habits);
  const optionsOf = (process: Process) => ({
    protocol: frames({ fillRandom: fillFrom(new Lots(6)) }) as Protocol<Message, Message>,
    transport: new TappedHost(new Host({ process, net, ways: NO_WAYS }), net, (tap) => ledger.tapped(tap)),
    clock: process,
  });
  const target = { hostname: "superseded", port: 1 };
  const ends: string[] = [];
  const taken: Message[] = [];
  const server = await serve<Message, Message>(
    { ...optionsOf(home), ...target, resume: { window: 5_000 } },
    (connection) => {
      connection.onMessage = (message) => void taken.push(message);
      void connection.closed.then(({ code }) => ends.push(`server ${code} at ${Math.round(home.now())}`));
    },
  );
  let client!: Connection<Message, Message>;
  away.after(
    0,
    () =>
      void connect<Message, Message>(target, { ...optionsOf(away), resume: true }).then((connection) => {
        client = connection;
        connection.onMessage = () => {};
        void connection.closed.then(({ code, origin, unacknowledged }) =>
          ends.push(`client ${code} ${origin} ${unacknowledged.join()}`)
        );
        void connection.send("first");
      }),
  );
  await world.run(1_000);
  assertEquals([client.state, taken], ["open", ["first"]]);

  // What is sent in the moment of the take-over goes nowhere, and the client is told.
  net.shapeAll({ delay: 10 });
  const thief = new Thief("thief", scene);
  void thief.steal({ target }, ledger.granted("#1"), 500);
  await world.run(1_025);
  away.tell(() => void client.send("second"));
  await world.run(1_400);
  assertEquals(ends, ["client superseded peer second"]);
  assertEquals([...server.connections].length, 1);

  // Then the thief is gone, and the session has nobody for its window.
  await world.run(20_000);
  assertEquals(ends.length, 2);
  assertEquals(ends[1]!.startsWith("server session-lost at "), true);
  home.tell(() => void server.drain());
  await world.run(40_000);
  assertEquals([world.violations, home.pending, away.pending, net.network.links.length], [[], 0, 0, 0]);
});
