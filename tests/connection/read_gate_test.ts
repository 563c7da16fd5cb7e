import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { ReadGate, type ReadGateOwner } from "../../lib/connection/read_gate.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { FakeSocket } from "../support/fake_socket.ts";

const BURST = 256 * 1024;

/** A gate, and what was done to its socket. */
function gate() {
  const clock = new FakeClock(), socket = new FakeSocket(), log: string[] = [];
  socket.pause = () => void log.push("pause");
  socket.resume = () => void log.push("resume");
  const owner: ReadGateOwner = {
    goOn: (chunk) => log.push(`go on ${chunk}`),
    caughtUp: () => log.push("caught up"),
  };
  return { gate: new ReadGate(socket, clock, owner), clock, socket, log, owner };
}

test("ReadGate gives the others a turn after 256 KiB, and then reads on", () => {
  const { gate: it, clock, log } = gate();
  it.received(BURST - 1);
  assertEquals(log, []);
  it.received(1);
  assertEquals(log, ["pause"]);
  clock.turn();
  assertEquals(log, ["pause", "resume"]);
  it.received(BURST - 1);
  assertEquals(log.length, 2, "the count starts again");
});

test("ReadGate stops reading while there is no room, and says whether that is news", () => {
  const { gate: it, log } = gate();
  assertEquals([it.hold(true), it.hold(true), it.hold(false), it.hold(false)], [true, false, true, false]);
  assertEquals(log, ["pause", "resume"]);
});

test("ReadGate does not read on after the turn if there is no room meanwhile", () => {
  const { gate: it, clock, log } = gate();
  it.received(BURST);
  assertEquals(it.hold(true), true);
  clock.turn();
  assertEquals(log, ["pause"]);
  it.hold(false);
  assertEquals(log, ["pause", "resume"]);
});

test("ReadGate does not read on within the turn although there is room again", () => {
  const { gate: it, clock, log } = gate();
  it.received(BURST);
  it.hold(true);
  it.hold(false);
  assertEquals(log, ["pause"]);
  clock.turn();
  assertEquals(log, ["pause", "resume"]);
});

test("ReadGate that holds already does not yield as well", () => {
  const { gate: it, clock, log } = gate();
  it.hold(true);
  it.received(BURST);
  clock.turn();
  assertEquals(log, ["pause"]);
});

test("ReadGate that is shut never touches the socket again", () => {
  const { gate: it, clock, log } = gate();
  it.received(BURST);
  it.shut();
  clock.turn();
  assertEquals(it.hold(true), false);
  assertEquals(log, ["pause"]);
});

test("ReadGate hands over in the next turn what was too much for this one, and only then reads on", () => {
  const { gate: it, clock, log, owner } = gate();
  it.keep(Uint8Array.of(1, 2));
  it.received(10, true);
  assertEquals([log, it.behind, it.bytes], [["pause"], true, 2]);
  // Half of it is again too much.
  const { goOn } = owner;
  owner.goOn = (chunk) => {
    goOn(chunk);
    owner.goOn = goOn;
    it.keep(chunk.subarray(1));
    it.received(1, true);
    clock.afterTurn(() => log.push("turn"));
  };
  it.keep(Uint8Array.of(3));
  clock.turn();
  clock.turn();
  assertEquals(log, ["pause", "go on 1,2", "go on 2", "go on 3", "caught up", "resume", "turn"]);
  assertEquals([it.behind, it.bytes], [false, 0]);
});

test("ReadGate hands over nothing while there is no room, nor within the turn that there is room again", () => {
  const { gate: it, clock, log } = gate();
  it.keep(Uint8Array.of(1));
  it.received(1, true);
  it.hold(true);
  clock.turn();
  it.hold(false);
  assertEquals(log, ["pause"]);
  clock.turn();
  assertEquals(log, ["pause", "go on 1", "caught up", "resume"]);
});

test("ReadGate that is shut lets go of what waits", () => {
  const { gate: it, clock, log } = gate();
  it.keep(Uint8Array.of(1));
  it.received(1, true);
  it.shut();
  clock.turn();
  assertEquals([log, it.behind], [["pause"], false]);
});
