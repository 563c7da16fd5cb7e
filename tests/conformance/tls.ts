/**
 * Conformance: what TLS adds. Who is believed, who is turned away, and that those who are turned away harm nobody.
 *
 * @module
 */

import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import tls from "node:tls";
import { assert, assertEquals, assertGreater, assertLess, assertMatch, assertRejects } from "@std/assert";
import type {
  ConnectOptions,
  ListenOptions,
  Socket,
  TcpAddress,
  TlsClientOptions,
  TlsServerOptions,
} from "../../lib/transport/transport.ts";
import { certificates, type Identity } from "../support/certificates.ts";
import { start } from "../support/runtime.ts";
import {
  type Bench,
  bytesOf,
  check,
  type Door,
  eventually,
  Log,
  pass,
  pattern,
  refusal,
  type Suite,
  toArgument,
  within,
} from "./harness.ts";
import { material } from "./secured.ts";

const made = await certificates();
const { authority: { certificate: ca } } = made;
const pem = ({ certificate, key }: Identity): { certificate: string; key: string } => ({ certificate, key });

export function testTls(suite: Suite): void {
  testBelief(suite);
  testAgreement(suite);
  testRefusal(suite);
  testEnds(suite);
}

/** Who is believed, by clients and by servers. */
function testBelief(suite: Suite): void {
  const can = suite.transport.capabilities.tls!;

  check(suite, "each end knows what was agreed on, and with whom", async (bench) => {
    const door = await secure(bench, { ...pem(made.server), alpnProtocols: ["b/1", "a/1"] });
    const { client, server } = await meet(bench, door, { alpnProtocols: ["a/1", "b/1"] }, "localhost");
    const facts = client.tls!;
    assertMatch(facts.protocol ?? "TLSv1.3", /^TLSv1\.[23]$/);
    assertEquals([facts.alpnProtocol, facts.serverName, facts.authorized], ["b/1", "localhost", true]);
    const peer = facts.peerCertificate!;
    assertEquals(peer.subject, { CN: "localhost" });
    assertEquals(peer.issuer, { CN: "Holdfast Test" });
    assertEquals(peer.subjectAltNames.slice(0, 2), ["DNS:localhost", "IP:127.0.0.1"]);
    assertEquals([peer.validFrom, peer.validTo], [made.server.validFrom, made.server.validTo]);
    assertEquals(peer.fingerprint256, made.server.fingerprint256);
    assertEquals(server.tls, {
      protocol: facts.protocol,
      alpnProtocol: "b/1",
      serverName: "localhost",
      authorized: false,
      peerCertificate: undefined,
    });
    client.abort();
    assertEquals(client.tls, facts);
  });

  check(
    suite,
    "a certificate that is not to be believed fails the connect, and harms nobody",
    async (bench) => {
      const cases: [string, Identity, TlsClientOptions | true, string][] = [
        ["of an unknown authority", made.unknown, { ca }, "localhost"],
        ["that has expired", made.expired, { ca }, "localhost"],
        ["for another name", made.other, { ca }, "localhost"],
        ["for another address", made.other, { ca }, "127.0.0.1"],
        ["of an authority that the runtime does not know", made.server, true, "localhost"],
        ["for another name than asked for", made.server, { ca, serverName: "other.test" }, "localhost"],
      ];
      for (const [what, identity, client, hostname] of cases) {
        const door = await secure(bench, pem(identity));
        const { port } = door.listener.address as TcpAddress;
        const error = await refusal(suite.transport.connect({ hostname, port }, { tls: client }));
        assertEquals(error.code, "connect-failed", what);
        assert(error.cause instanceof Error, `${what}: the runtime's own error is lost`);
      }
      const door = await secure(bench, pem(made.other));
      await meet(bench, door, { serverName: "other.test" }, "127.0.0.1");
    },
  );

  const { module } = suite;
  if (module !== undefined) {
    check(suite, "ca is trusted instead of what the runtime trusts", async (bench) => {
      const door = await secure(bench, pem(made.unknown));
      const file = `${bench.path()}.pem`;
      writeFileSync(file, made.stranger.certificate);
      bench.after(() => rmSync(file, { force: true }));
      // All three runtimes add what is in there to what they trust.
      process.env.NODE_EXTRA_CA_CERTS = file;
      bench.after(() => void delete process.env.NODE_EXTRA_CA_CERTS);
      const program = start(new URL("programs/trust.ts", import.meta.url), [
        module.href,
        toArgument(door.listener.address),
        ca,
      ]);
      bench.after(() => program.kill("SIGKILL"));
      assertEquals(await program.line(), "true", "the runtime does not trust what it was told to");
      assertEquals(await program.line(), "connect-failed", "ca is trusted besides what the runtime trusts");
      assertEquals(await program.ended(), 0);
    });
  }

  check(suite, "insecure believes anybody, and says so", async (bench) => {
    const door = await secure(bench, pem(made.unknown));
    const { client } = await meet(bench, door, { ca: undefined, insecure: true }, "127.0.0.1");
    assertEquals(client.tls!.authorized, false);
    assertEquals(client.tls!.peerCertificate!.fingerprint256, made.unknown.fingerprint256);
  });

  check(suite, "certificates of clients are asked for, needed, or neither", async (bench) => {
    if (!can.clientCertificate) {
      await assertRejects(
        () => secure(bench, { ...pem(made.server), ca, clientCertificate: "required" }),
        TypeError,
        "clientCertificate",
      );
      return;
    }
    const expired = await made.authority.issue({ name: "late", dns: ["late.test"], days: [-9, -1] });
    const shown = { none: undefined, good: made.client, unknown: made.unknownClient, expired };
    for (const clientCertificate of ["required", "optional"] as const) {
      for (const [which, identity] of Object.entries(shown)) {
        const what = `${clientCertificate}, ${which}`;
        const failures: unknown[] = [];
        const door = await secure(bench, { ...pem(made.server), ca, clientCertificate }, {
          failed: (error) => void failures.push(error),
        });
        const options = identity === undefined ? {} : pem(identity);
        const welcome = which === "good" || which === "none" && clientCertificate === "optional";
        if (welcome) {
          const { server } = await meet(bench, door, options);
          assertEquals(server.tls!.authorized, which === "good", what);
          assertEquals(server.tls!.peerCertificate?.fingerprint256, identity?.fingerprint256, what);
          continue;
        }
        // In TLS 1.3 a client is through before its certificate has been looked at.
        const client = await bench.connect(door.listener.address, { tls: { ca, ...options } }).catch(
          () => {},
        );
        await eventually(`${what}: the failure`, () => failures.length === 1);
        assertMatch(String(failures[0]), /TLS handshake with 127\.0\.0\.1:\d+ failed: /);
        if (!client) continue;
        const log = new Log(client).start();
        await log.until(`${what}: the end`, () => log.closes > 0 || log.events.includes("end"));
        assertEquals(door.waiting, 0, what);
      }
    }
  });
}

/** What is agreed on: protocols, names, certificates. */
function testAgreement(suite: Suite): void {
  const can = suite.transport.capabilities.tls!;

  check(suite, "protocols that do not meet are refused, and none is no matter", async (bench) => {
    const door = await secure(bench, { ...pem(made.server), alpnProtocols: ["a/1"] });
    const error = await refusal(
      suite.transport.connect(door.listener.address, { tls: { ca, alpnProtocols: ["z/1"] } }),
    );
    assertEquals(error.code, "connect-failed");
    const { client, server } = await meet(bench, door);
    assertEquals([client.tls!.alpnProtocol, server.tls!.alpnProtocol], [undefined, undefined]);
  });

  check(suite, "a server has a certificate for each name", async (bench) => {
    const serverNames = { "other.test": pem(made.other), "*.wild.test": pem(made.renewed) };
    if (!can.serverNames) {
      await assertRejects(
        () => secure(bench, { ...pem(made.server), serverNames }),
        TypeError,
        "serverNames",
      );
      return;
    }
    const door = await secure(bench, { ...pem(made.server), serverNames });
    const named = async (serverName: string, insecure = false) => {
      const { client, server } = await meet(bench, door, {
        serverName,
        ...(insecure && { ca: undefined, insecure }),
      });
      assertEquals(server.tls!.serverName, serverName === "127.0.0.1" ? undefined : serverName);
      return client.tls!.peerCertificate!.fingerprint256;
    };
    assertEquals(await named("other.test"), made.other.fingerprint256);
    assertEquals(await named("localhost"), made.server.fingerprint256);
    assertEquals(await named("127.0.0.1"), made.server.fingerprint256);
    // These two are not for the names they are given out for.
    assertEquals(await named("a.wild.test", true), made.renewed.fingerprint256);
    assertEquals(await named("a.b.wild.test", true), made.server.fingerprint256);
  });

  check(suite, "a certificate is replaced while listening, and open sockets live on", async (bench) => {
    const door = await secure(bench, pem(made.server));
    const { listener } = door;
    assertEquals(listener.replaceCertificate !== undefined, can.replaceCertificate);
    if (listener.replaceCertificate === undefined) return;
    const before = await meet(bench, door);
    listener.replaceCertificate(pem(made.renewed));
    const after = await meet(bench, door);
    const shown = (socket: Socket) => socket.tls!.peerCertificate!.fingerprint256;
    assertEquals(shown(before.client), made.server.fingerprint256);
    assertEquals(shown(after.client), made.renewed.fingerprint256);
    const wrong = { certificate: made.server.certificate, key: made.other.key };
    let thrown: unknown;
    try {
      listener.replaceCertificate(wrong);
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof TypeError, `threw ${thrown}`);
    assertEquals(shown((await meet(bench, door)).client), made.renewed.fingerprint256);
    const log = new Log(before.server).start();
    before.client.write(bytesOf("still here"));
    await log.until("the bytes", () => log.received === 10);
  });

  check(suite, "a socket without TLS knows of none", async (bench) => {
    const plain: { tls: undefined } = { tls: undefined };
    const door = await bench.listen(plain);
    const [client, server] = await Promise.all([bench.connect(door.listener.address, plain), door.next()]);
    assertEquals([client.tls, server.tls], [undefined, undefined]);
    assertEquals(door.listener.replaceCertificate, undefined);
  });

  if (suite.transport.capabilities.unix) {
    check(suite, "over a Unix socket", async (bench) => {
      const path = bench.path();
      const door = await bench.listen({ tls: pem(made.server) }, { path });
      await assertRejects(() => bench.connect({ path }, { tls: { ca } }), TypeError, `"tls.serverName"`);
      const [client, server] = await Promise.all([
        bench.connect({ path }, { tls: { ca, serverName: "localhost" } }),
        door.next(),
      ]);
      const log = new Log(server).start();
      client.write(bytesOf("hello"));
      await log.until("the bytes", () => log.received === 5);
    });
  }

  check(suite, "wrong options of TLS are the caller's mistake", async (bench) => {
    const { listener: { address } } = await secure(bench, pem(made.server));
    const junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const clients: [object, RegExp][] = [
      [{ ca: "secret" }, /"tls.ca" must be text in PEM/],
      [{ ca: junk }, /"tls.ca" must be a certificate in PEM/],
      [{ ca: [] }, /"tls.ca"/],
      [{ ca, insecure: true }, /"tls.insecure" and "tls.ca"/],
      [{ ca, certificate: made.client.certificate }, /"tls.certificate" and "tls.key"/],
      [{ certificate: made.client.certificate, key: made.other.key }, /"tls.key" must be the key of/],
      [{ ca, alpnProtocols: [] }, /"tls.alpnProtocols"/],
      [{ ca, serverName: "" }, /"tls.serverName"/],
    ];
    for (const [options, message] of clients) {
      const error = await assertRejects(
        () => suite.transport.connect(address, { tls: options as TlsClientOptions }),
        TypeError,
      );
      assertMatch(error.message, message);
      assert(!error.message.includes("secret"), "an option is shown that may be a key");
    }
    const { certificate, key } = made.server;
    const servers: [object, RegExp][] = [
      [{ certificate, key: "secret" }, /"tls.key" must be text in PEM/],
      [{ certificate: junk, key }, /"tls.certificate" must be a certificate in PEM/],
      [{ certificate, key: junk }, /"tls.key" must be a key in PEM/],
      [{ certificate, key: made.other.key }, /"tls.key" must be the key of "tls.certificate"/],
      [{ certificate, key, clientCertificate: "required" }, /"tls.ca" must be given/],
      [{ certificate, key, ca }, /"tls.ca" must be given/],
      [{ certificate, key, alpnProtocols: [""] }, /"tls.alpnProtocols"/],
      [{ certificate, key, serverNames: { a: { certificate, key: made.other.key } } }, /serverNames\["a"\]/],
    ];
    for (const [options, message] of servers) {
      const error = await assertRejects(() => secure(bench, options as TlsServerOptions), TypeError);
      assertMatch(error.message, message);
      assert(!error.message.includes("secret"), "an option is shown that may be a key");
    }
    await assertRejects(() => secure(bench, { certificate, key, handshakeTimeout: 0 }), RangeError);
  });
}

/** Those who are turned away, or do not get through. */
function testRefusal(suite: Suite): void {
  const callers: Record<string, (raw: net.Socket) => void> = {
    "speaks plain text": (raw) => raw.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "speaks garbage": (raw) => raw.write(new Uint8Array(300).fill(0x99)),
    "begins a handshake with garbage": (raw) => raw.write(Uint8Array.of(0x16, 3, 1, 0, 4, 1, 2, 3, 4)),
    "begins a handshake and ends": (raw) => raw.end(Uint8Array.of(0x16, 3, 1, 2, 0, 1)),
    "ends at once": (raw) => raw.end(),
    "resets at once": (raw) => raw.resetAndDestroy(),
    "says nothing": () => {},
    "begins a handshake and stops": (raw) => raw.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1)),
  };
  for (const [what, misbehave] of Object.entries(callers)) {
    check(suite, `a caller that ${what} is dropped, and harms nobody`, async (bench) => {
      const failures: unknown[] = [];
      const options = { ...pem(made.server), handshakeTimeout: 600 };
      const door = await secure(bench, options, { failed: (error) => void failures.push(error) });
      const { hostname, port } = door.listener.address as TcpAddress;
      const raw = net.connect({ host: hostname, port, allowHalfOpen: true });
      raw.on("error", () => {}).resume();
      bench.after(() => raw.destroy());
      await within(once(raw, "connect"), "connect");
      let dropped = raw.destroyed;
      raw.on("end", () => dropped = true).on("close", () => dropped = true);
      misbehave(raw);
      const { client, server } = await meet(bench, door); // Nobody has to wait for it.
      await eventually("its end", () => dropped);
      await eventually("the report", () => failures.length === 1);
      assertMatch(String(failures[0]), /TLS handshake with .* failed: ./);
      const log = new Log(server).start();
      client.write(bytesOf("hello"));
      await log.until("the bytes of a good one", () => log.received === 5);
      assertEquals(door.waiting, 0, "it was accepted");
    });
  }

  check(suite, "many that say nothing are dropped in time, and told of now and then", async (bench) => {
    let failures = 0;
    const options = { ...pem(made.server), handshakeTimeout: 300 };
    const door = await secure(bench, options, { failed: () => void failures++ });
    const { hostname, port } = door.listener.address as TcpAddress;
    let gone = 0;
    for (let i = 0; i < 40; i++) {
      const raw = net.connect({ host: hostname, port });
      raw.on("error", () => {}).on("close", () => gone++).resume();
      bench.after(() => raw.destroy());
    }
    await eventually("their end", () => gone === 40);
    assertGreater(failures, 0);
    assertLess(failures, 40);
    await meet(bench, door);
  });

  check(suite, "close of a listener drops the handshakes under way", async (bench) => {
    const failures: unknown[] = [];
    const door = await secure(bench, pem(made.server), { failed: (error) => void failures.push(error) });
    const { hostname, port } = door.listener.address as TcpAddress;
    const raw = net.connect({ host: hostname, port });
    raw.on("error", () => {}).resume();
    await within(once(raw, "connect"), "connect");
    raw.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1));
    await pass(50);
    const closed = once(raw, "close");
    await within(door.listener.close(), "close");
    await within(closed, "the drop", 4_000);
    assertEquals(failures, []);
  });

  check(suite, "a server that never answers, and one that is none", async (bench) => {
    const answers: [string, (raw: net.Socket) => void, string][] = [
      ["says nothing", () => {}, "connect-timeout"],
      ["speaks plain text", (raw) => raw.write("220 hello there, this is no TLS\r\n"), "connect-failed"],
      ["ends", (raw) => raw.end(), "connect-failed"],
      ["resets", (raw) => raw.resetAndDestroy(), "connect-failed"],
    ];
    for (const [what, answer, code] of answers) {
      let ended = false;
      const { address, close } = await stranger((raw) => {
        raw.on("error", () => ended = true).on("close", () => ended = true).resume();
        answer(raw);
      });
      bench.after(close);
      const timeout = code === "connect-timeout" ? 300 : 10_000;
      const error = await refusal(suite.transport.connect(address, { timeout }));
      assertEquals(error.code, code, what);
      await eventually(`${what}: the end at the other side`, () => ended);
    }
  });

  check(suite, "a signal stops a handshake", async (bench) => {
    let ended = false;
    const { address, close } = await stranger((raw) => {
      raw.on("error", () => {}).on("close", () => ended = true).resume();
    });
    bench.after(close);
    const controller = new AbortController();
    const connecting = suite.transport.connect(address, { signal: controller.signal });
    await pass(100);
    const reason = new Error("changed my mind");
    controller.abort(reason);
    assertEquals(await assertRejects(() => within(connecting, "connect")), reason);
    await eventually("the end at the other side", () => ended);
  });
}

/** How TLS ends. */
function testEnds(suite: Suite): void {
  const { truncation } = suite.transport.capabilities.tls!;

  check(suite, "an end that the peer did not announce is told from an orderly one", async (bench) => {
    const { raw, log } = await guest(bench);
    raw.end(); // Below TLS, so that there is no close_notify.
    await log.until("the end", () => log.closes > 0 || log.events.includes("end"));
    assertEquals(log.events.includes("end"), !truncation);
    assertEquals(log.code(), truncation ? "EPROTO" : undefined);
  });

  check(suite, "sockets that are dropped at any moment harm nobody", async (bench) => {
    let state = 7;
    const dice = () => (state = state * 48_271 % 0x7fffffff) / 0x7fffffff;
    const logs: Log[] = [];
    const drive = (socket: Socket) => {
      const log = new Log(socket);
      logs.push(log);
      log.keep = false;
      log.onData = () => {
        if (dice() < 0.1) socket.abort();
        else if (dice() < 0.5) socket.write(pattern(Math.ceil(dice() * 100_000)));
        else socket.shutdown();
      };
      log.onEnd = () => dice() < 0.5 ? socket.shutdown() : socket.abort();
      log.start();
      const choice = dice();
      if (choice < 0.2) socket.abort();
      else if (choice < 0.4) socket.shutdown();
      else {
        socket.write(pattern(Math.ceil(dice() * 300_000)));
        setTimeout(() => socket.abort(), dice() * 40);
      }
    };
    const { listener: { address } } = await bench.listen({ accept: drive });
    for (let round = 0; round < 12; round++) {
      await Promise.all(Array.from({ length: 10 }, async () => {
        const controller = new AbortController();
        if (dice() < 0.2) setTimeout(() => controller.abort(), dice() * 15);
        try {
          drive(await suite.transport.connect(address, { signal: controller.signal }));
        } catch {
          // Given up, or dropped by the other end.
        }
      }));
    }
    await pass(50);
    for (const { socket } of logs) socket.abort();
    for (const log of logs) await log.closed();
    assertEquals(logs.filter(({ closes }) => closes !== 1).length, 0);
    assertGreater(logs.length, 120);
  });

  check(suite, "bytes that come after a handshake and are not TLS end the socket", async (bench) => {
    const { raw, log } = await guest(bench);
    raw.write(new Uint8Array(100).fill(0x99));
    await log.closed();
    assert(log.error instanceof Error, "closed without an error");
    assertEquals(log.events, ["close"]);
  });
}

/** A client over `node:tls` and the socket below it, connected to one under test, which is started. */
async function guest(bench: Bench): Promise<{ raw: net.Socket; log: Log }> {
  const door = await bench.listen();
  const { hostname, port } = door.listener.address as TcpAddress;
  const raw = net.connect({ host: hostname, port, allowHalfOpen: true });
  raw.on("error", () => {});
  bench.after(() => raw.destroy());
  await within(once(raw, "connect"), "connect");
  const upper = tls.connect({ socket: raw, ca: (await material()).ca, servername: "localhost" });
  upper.on("error", () => {});
  await within(once(upper, "secureConnect"), "the handshake");
  return { raw, log: new Log(await door.next()).start() };
}

/** Listens with the suite's transport over TLS. */
function secure(
  bench: Bench,
  options: TlsServerOptions,
  more: Partial<ListenOptions> = {},
): Promise<Door> {
  return bench.listen({ ...more, tls: options });
}

/** Connects to `door`, and gives both ends. */
async function meet(
  bench: Bench,
  door: Door,
  options: TlsClientOptions = {},
  hostname = "127.0.0.1",
): Promise<{ client: Socket; server: Socket }> {
  const { port } = door.listener.address as TcpAddress;
  const tls: ConnectOptions["tls"] = { ca, ...options };
  const [client, server] = await Promise.all([bench.connect({ hostname, port }, { tls }), door.next()]);
  return { client, server };
}

/** A plain server that does what `meet` does with each caller. */
async function stranger(
  meet: (raw: net.Socket) => void,
): Promise<{ address: TcpAddress; close: () => void }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((raw) => {
    sockets.push(raw);
    meet(raw);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return {
    address: { hostname: "127.0.0.1", port },
    close() {
      for (const raw of sockets) raw.destroy();
      server.close();
    },
  };
}
