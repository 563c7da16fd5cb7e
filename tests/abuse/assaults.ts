/**
 * What those who mean no good do to a server, one caller at a time.
 *
 * @module
 */

import type fc from "fast-check";
import { detectTransport } from "../../lib/transport/detect.ts";
import { Caller, deeds, pause } from "./caller.ts";
import { clientHello } from "./client_hello.ts";
import { TOKEN, type Tongue, type Victim } from "./setting.ts";
import { almostRightStream, cuts, greeting, joined, noise, rightStream, speaker } from "./streams.ts";
import { splitAt, text } from "../support/feed.ts";

/** What a caller has to hand. */
export interface Means {
  readonly victim: Victim;
  readonly random: () => number;
  /** When it is to be over. */
  readonly until: number;
  /** Draws one of what `arbitrary` makes. */
  draw<T>(arbitrary: fc.Arbitrary<T>): T;
}

/** One call. */
export type Assault = (means: Means) => Promise<void>;

/** Calls, does something, and goes in one of the ways there are. */
async function call(
  { victim, random }: Means,
  act: (caller: Caller) => Promise<unknown>,
): Promise<void> {
  const caller = await Caller.open(victim.port);
  if (caller === undefined) return pause(20);
  try {
    await act(caller);
  } finally {
    if (random() < 0.5) caller.reset();
    else caller.leave();
  }
}

const speaksFrames = (tongue: Tongue) => tongue === "frames" || tongue === "keyed" || tongue === "json";
const left = (until: number) => Math.max(until - performance.now(), 0);

/** Writes `bytes` in the pieces that chance cuts them into. */
async function writeCut(caller: Caller, bytes: Uint8Array, { draw, random }: Means): Promise<void> {
  for (const piece of splitAt(bytes, draw(cuts))) {
    if (!await caller.write(piece)) return;
    if (random() < 0.3) await pause(1);
  }
}

/** What a caller does when it has said all. */
async function linger(caller: Caller, { random, until }: Means): Promise<void> {
  const chance = random();
  if (chance < 0.3) return;
  if (chance < 0.6) caller.finish();
  await caller.thrownOut(Math.min(left(until), random() * 60));
}

/** Opens as a good caller does, so that what follows is taken seriously. */
async function openWell(caller: Caller, tongue: Tongue): Promise<void> {
  if (tongue === "proxied") await caller.write(text("PROXY TCP4 192.0.2.9 192.0.2.1 99 88\r\n"));
  if (tongue === "tls") await caller.write(clientHello());
  if (!speaksFrames(tongue)) return;
  await caller.write(greeting(tongue === "keyed"));
  await caller.heard(40, 300);
}

/** The same bytes over and over, enough of them to fill a write. */
function repeated(bytes: Uint8Array, size = 8 << 10): Uint8Array {
  return joined(Array.from({ length: Math.max(1, Math.floor(size / bytes.length)) }, () => bytes));
}

/** What floods a server that speaks so. */
function floodOf(
  tongue: Tongue,
  kind: "pings" | "tiny" | "empty" | "large",
  random: () => number,
): Uint8Array {
  if (!speaksFrames(tongue)) {
    const lines = { pings: "PING\n", tiny: "x\n", empty: "\n", large: `${"x".repeat(4_000)}\n` };
    return repeated(text(tongue === "raw" && kind === "pings" ? TOKEN : lines[kind]), 16 << 10);
  }
  const say = speaker();
  if (kind === "pings") return joined(Array.from({ length: 200 }, () => say.ping()));
  if (kind === "large") {
    return say.data(tongue === "json" ? `"${"x".repeat(30_000)}"` : new Uint8Array(30_000));
  }
  const pieces = random() < 0.3 && tongue !== "json";
  if (pieces) return repeated(say.piece(Uint8Array.of(1)));
  return repeated(say.data(tongue === "json" ? "0" : kind === "empty" ? "" : "x"));
}

function flood(kind: "pings" | "tiny" | "empty" | "large", reads: boolean): Assault {
  return (means) =>
    call(means, async (caller) => {
      const { victim: { tongue }, random, until } = means;
      await openWell(caller, tongue);
      if (!reads) caller.deafen();
      const bytes = floodOf(tongue, kind, random);
      for (const end = Math.min(until, performance.now() + 500); performance.now() < end;) {
        if (!await caller.write(bytes)) return;
        // Other callers of the same process want to write too.
        await pause(1);
      }
      await linger(caller, means);
    });
}

/** All of them, by name. */
export const ASSAULTS: Readonly<Record<string, Assault>> = {
  noise: (means) =>
    call(means, async (caller) => {
      await writeCut(caller, means.draw(noise), means);
      await linger(caller, means);
    }),

  "almost right": (means) =>
    call(means, async (caller) => {
      const { opening, rest } = means.draw(almostRightStream(means.victim.tongue));
      await writeCut(caller, opening, means);
      if (means.random() < 0.7) await caller.heard(4, 30);
      await writeCut(caller, rest, means);
      await linger(caller, means);
    }),

  "cut short": (means) =>
    call(means, async (caller) => {
      const { opening, rest } = means.draw(rightStream(means.victim.tongue));
      const whole = joined([opening, rest]);
      const size = Math.floor(means.random() * whole.length);
      await writeCut(caller, whole.subarray(0, size), means);
      if (means.random() < 0.5) caller.finish();
    }),

  "garbage around a hello": (means) =>
    call(means, async (caller) => {
      const { victim: { tongue }, random } = means;
      if (random() < 0.3) await caller.write(means.draw(noise).subarray(0, 30));
      await openWell(caller, tongue);
      await writeCut(caller, means.draw(noise), means);
      await linger(caller, means);
    }),

  "connect and reset": (means) =>
    call(means, async (caller) => {
      if (means.random() < 0.3) await caller.write(Uint8Array.of(0xf0, 0x48));
    }),

  "connect and say nothing": (means) =>
    call(means, async (caller) => {
      await caller.thrownOut(Math.min(left(means.until), 3_000));
    }),

  "a byte at a time": (means) =>
    call(means, async (caller) => {
      const { opening, rest } = means.draw(rightStream(means.victim.tongue));
      // A second is a long time to those who run this in seconds.
      const gap = left(means.until) > 5_000 ? 1_000 : 100;
      for (const byte of joined([opening, rest])) {
        if (performance.now() >= means.until || !await caller.write(Uint8Array.of(byte))) return;
        await pause(gap);
      }
    }),

  "flood of pings": flood("pings", true),
  "flood of tiny messages": flood("tiny", true),
  "flood of empty messages": flood("empty", true),
  "flood of large messages": flood("large", true),
  "flood, and read nothing": flood("tiny", false),
  "ask for much, and read nothing": flood("large", false),

  "half closed": (means) =>
    call(means, async (caller) => {
      const { opening, rest } = means.draw(rightStream(means.victim.tongue));
      await caller.write(opening);
      if (means.random() < 0.5) await caller.heard(4, 50);
      await caller.write(rest);
      if (means.random() < 0.3) caller.deafen();
      caller.finish();
      await caller.thrownOut(Math.min(left(means.until), 1_000));
    }),

  "sessions that are not theirs": (means) =>
    call(means, async (caller) => {
      const { victim: { tongue }, random } = means;
      if (!speaksFrames(tongue)) return void await openWell(caller, tongue);
      const bytes = (length: number) => Uint8Array.from({ length }, () => random() * 256);
      const received = random() < 0.5 ? 0 : Math.floor(random() * 2 ** 52);
      let ticket = { id: bytes(8), secret: bytes(16) };
      const first = { resumed: true, ticket, received, window: 0 };
      await caller.write(greeting(tongue === "keyed", random() < 0.3 ? { ...first, resumed: false } : first));
      await caller.heard(80, 200);
      if (random() < 0.5) return;
      // The session that was given instead, with what must not be known of it, or too much received of it.
      const hello = caller.first;
      if (hello.length < 77) return;
      const right = random() < 0.5;
      ticket = { id: hello.slice(41, 49), secret: right ? hello.slice(49, 65) : bytes(16) };
      caller.reset();
      const again = await Caller.open(means.victim.port);
      if (again === undefined) return;
      const more = right ? 1 + Math.floor(random() * 9) : 0;
      await again.write(
        greeting(tongue === "keyed", { resumed: true, ticket, received: more, window: 0 }),
      );
      await again.heard(10, 100);
      again.leave();
    }),

  "half of a handshake": (means) =>
    call(means, async (caller) => {
      const { random } = means;
      const hello = clientHello();
      await writeCut(caller, random() < 0.5 ? hello : hello.subarray(0, random() * hello.length), means);
      if (random() < 0.5) await caller.heard(100, 100);
      if (random() < 0.5) await caller.write(means.draw(noise));
      if (random() < 0.3) await caller.thrownOut(Math.min(left(means.until), 1_500));
    }),

  "bad language in TLS": async (means) => {
    const { victim: { tongue, port }, random, draw } = means;
    if (tongue !== "tls") return pause(left(means.until));
    const transport = await detectTransport();
    const socket = await transport.connect({ hostname: "127.0.0.1", port }, { tls: { insecure: true } })
      .catch(() => undefined);
    if (socket === undefined) return pause(20);
    deeds.connections++;
    let open = true;
    const closed = new Promise<void>((resolve) =>
      socket.start({ data() {}, written() {}, end() {}, close: () => resolve(open = false as never) })
    );
    const bytes = random() < 0.5 ? draw(noise) : draw(almostRightStream("lines")).rest;
    for (const piece of splitAt(bytes, draw(cuts))) if (open) socket.write(piece);
    if (random() < 0.3) socket.shutdown();
    if (random() < 0.5) await Promise.race([closed, pause(50)]);
    socket.abort();
  },
};
