/**
 * The client of a pair: does what there is to do with one server, and prints what it found as JSON, line by line.
 *
 * Argument: where the server listens, as JSON.
 *
 * @module
 */

import process from "node:process";
import { connect, type Connection, lines, raw } from "../../../mod.ts";
import { INTERVAL, payload, type Ports, SEND_EVERY, SIZE, upperCase } from "./pair.ts";

const ports = JSON.parse(process.argv[2]!) as Ports;
const at = (port: number) => ({ hostname: "127.0.0.1", port });
const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
const tell = (what: object) => console.log(JSON.stringify(what));
const decoder = new TextDecoder();

function dialRaw(heartbeat: boolean): Promise<Connection<Uint8Array, Uint8Array | string>> {
  return connect(at(ports.raw), {
    // Its own answers may be glued to heartbeats, and hold none themselves.
    protocol: raw({ token: "heartbeat", match: "anywhere" }),
    heartbeat: heartbeat && { interval: 1_000, timeout: 5_000, sendEvery: SEND_EVERY, steady: true },
  });
}

async function ended<In, Out>(connection: Connection<In, Out>): Promise<object> {
  const { code, origin } = await connection.closed;
  const { bytesReceived, messagesReceived, beatsReceived, pongsReceived } = connection.stats();
  return {
    code,
    origin,
    bytesReceived,
    messagesReceived,
    beatsReceived,
    pongsReceived,
    rtt: connection.rtt?.latest,
  };
}

/** Takes `size` bytes. */
async function take(connection: Connection<Uint8Array, Uint8Array | string>, size: number): Promise<string> {
  let text = "";
  const messages = connection[Symbol.asyncIterator]();
  while (text.length < size) {
    const { done, value } = await messages.next();
    if (done) break;
    text += decoder.decode(value);
  }
  return text;
}

/** 50 requests, one after the other, and then a while of nothing but heartbeats. */
async function requests(): Promise<void> {
  const connection = await dialRaw(true);
  let answered = 0;
  for (let i = 0; i < 50; i++) {
    const request = `request ${i} of 50`;
    await connection.send(request);
    if (await take(connection, request.length) === request.toUpperCase()) answered++;
  }
  await pause(6 * SEND_EVERY);
  await connection.close();
  tell({ answered, ...await ended(connection) });
}

/** All that a server has to answer after it has heard FIN. */
async function halfClose(): Promise<void> {
  const connection = await dialRaw(false);
  const request = "all of this comes back ".repeat(3_000);
  await connection.send(request);
  connection.finish();
  const answer = await take(connection, Infinity);
  await connection.close();
  tell({ whole: answer === request.toUpperCase(), ...await ended(connection) });
}

/** 8 MiB at once, read at the same time. */
async function bulk(): Promise<void> {
  // Bytes may hold anything here, so no heartbeat may be looked for among them.
  const connection = await connect(at(ports.raw), { protocol: raw(), heartbeat: false });
  const sent = payload(SIZE);
  const expected = upperCase(payload(SIZE));
  void connection.send(sent).then(() => connection.finish());
  let received = 0, beats = 0, exact = true;
  const token = new TextEncoder().encode("heartbeat");
  for await (const chunk of connection) {
    for (let i = 0; i < chunk.length; i++) {
      // An upper-cased answer has no lower-case letter, so these are the server's heartbeats.
      if (chunk[i]! >= 0x61 && chunk[i]! <= 0x7a) {
        exact &&= chunk[i] === token[beats++ % token.length];
      } else {
        exact &&= chunk[i] === expected[received++];
      }
    }
  }
  tell({ exact, received, ...await ended(connection) });
}

/** Lines, and a silence in which both ends ask and answer. */
async function chat(): Promise<void> {
  const connection = await connect(at(ports.lines), {
    protocol: lines(),
    heartbeat: { interval: INTERVAL, timeout: 5_000 },
  });
  const messages = connection[Symbol.asyncIterator]();
  const answers: unknown[] = [];
  for (const line of ["hello", "straße", ""]) {
    await connection.send(line);
    answers.push((await messages.next()).value);
  }
  await pause(6 * INTERVAL);
  await connection.send("bye");
  const { done } = await messages.next();
  await connection.close();
  tell({ answers, done, ...await ended(connection) });
}

await requests();
await halfClose();
await bulk();
await chat();
