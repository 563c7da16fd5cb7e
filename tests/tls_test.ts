/**
 * TLS from the front door: serve() and connect() with certificates, sessions over them, and one replaced while it runs.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, ConnectionError, frames, lines, serve } from "../mod.ts";
import { detectTransport } from "../lib/transport/detect.ts";
import { certificates, type Identity, makeAuthority } from "./support/certificates.ts";

const skip = (await detectTransport()).capabilities.tls === undefined &&
  "this runtime's transport has no TLS";

/** What a server is given of a certificate. */
const pair = ({ certificate, key }: Identity) => ({ certificate, key });

test("A server and a client speak TLS, and each tells what the handshake brought", { skip }, async () => {
  const { authority, server: identity } = await certificates();
  const tls = { ...pair(identity), alpnProtocols: ["holdfast"] };
  let seen: string | undefined;
  await using server = await serve({ port: 0, protocol: lines(), tls }, (connection) => {
    seen = connection.tls?.alpnProtocol;
    connection.onMessage = (line) => connection.send(line.toUpperCase());
  });
  await using connection = await connect(server.address, {
    protocol: lines(),
    tls: { ca: authority.certificate, alpnProtocols: ["holdfast"] },
  });
  await connection.send("hello");
  for await (const line of connection) {
    assertEquals(line, "HELLO");
    break;
  }
  assertEquals([seen, connection.tls?.alpnProtocol, connection.tls?.authorized], [
    "holdfast",
    "holdfast",
    true,
  ]);
});

test("A certificate that nobody vouches for is refused, and the server lives on", { skip }, async () => {
  const { authority, server: identity } = await certificates();
  const told: unknown[] = [];
  const onError = (error: unknown) => void told.push(error);
  await using server = await serve(
    { port: 0, protocol: lines(), tls: pair(identity), onError },
    (connection) => {
      connection.onMessage = (line) => connection.send(line);
    },
  );
  const error = await assertRejects(
    () => connect(server.address, { protocol: lines(), tls: true }),
    ConnectionError,
  );
  assertEquals(error.code, "connect-failed");
  await using connection = await connect(server.address, {
    protocol: lines(),
    tls: { ca: authority.certificate },
  });
  await connection.send("still there");
  await connection.flush();
});

test("A session goes on over TLS when its connection is lost", { skip }, async () => {
  const { authority, server: identity } = await certificates();
  const got: unknown[] = [];
  await using server = await serve(
    { port: 0, protocol: frames(), resume: true, tls: pair(identity), maxAge: 200, maxAgeGrace: 100 },
    (connection) => {
      connection.onMessage = (message) => connection.send(message);
    },
  );
  const states: string[] = [];
  const connection = await connect(server.address, {
    protocol: frames(),
    resume: true,
    reconnect: { initial: 10 },
    tls: { ca: authority.certificate },
  });
  connection.onState = (state) => void states.push(state);
  const all = new Promise<void>((resolve) => {
    connection.onMessage = (message) => {
      if (got.push(message) === 100) resolve();
    };
  });
  for (let i = 0; i < 100; i++) {
    await connection.send(`message ${i}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await all;
  assertEquals(got, Array.from({ length: 100 }, (_, i) => `message ${i}`));
  assert(states.includes("away"), `the connection was never lost: ${states}`);
  await connection.close();
});

test("A certificate is replaced while the server runs", { skip }, async () => {
  const { authority, server: identity } = await certificates();
  const other = await makeAuthority("Another authority");
  const renewed = await other.issue({ name: "server", dns: ["localhost"], ip: ["127.0.0.1"] });
  await using server = await serve({ port: 0, protocol: lines(), tls: pair(identity) }, (connection) => {
    connection.onMessage = (line) => connection.send(line);
  });
  await using before = await connect(server.address, {
    protocol: lines(),
    tls: { ca: authority.certificate },
  });
  server.replaceCertificate(pair(renewed));
  await using after = await connect(server.address, { protocol: lines(), tls: { ca: other.certificate } });
  await assertRejects(
    () => connect(server.address, { protocol: lines(), tls: { ca: authority.certificate } }),
    ConnectionError,
  );
  await before.send("the old one lives on");
  await after.send("and so does the new one");
  assertEquals([before.state, after.state], ["open", "open"]);
});

test("What does not go together is refused", { skip }, async () => {
  const { server: identity } = await certificates();
  const system = await detectTransport();
  const { capabilities: { tls: can, ...others }, name } = system;
  const poorer = { ...others, tls: { ...can!, plainFirst: false } };
  const transport = { name, capabilities: poorer, connect: system.connect, listen: system.listen! };
  await assertRejects(
    () => serve({ port: 0, transport, tls: pair(identity), proxyProtocol: { trusted: ["::1"] } }, () => {}),
    TypeError,
    `Cannot serve as transport "${name}" cannot honour "proxyProtocol" together with "tls"`,
  );
  await using plain = await serve({ port: 0 }, () => {});
  await assertRejects(
    async () => plain.replaceCertificate(pair(identity)),
    TypeError,
    "Cannot replace the certificate as the server must have a listener that speaks TLS",
  );
});
