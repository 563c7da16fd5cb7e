/**
 * What the conformance suite cannot ask of a Worker's sockets, in a real workerd: what it refuses, what it cannot know, TLS.
 *
 * @module
 */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { certificates, type Identity } from "../support/certificates.ts";
import { begin, failure, finish, inWorkerd, pass, tell } from "./talk.ts";

/** What became of a socket. */
interface Seen {
  readonly events: readonly string[];
  readonly closes: number;
  readonly text: string;
  readonly code: string | undefined;
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-workers-"));
const target = (port: number) => ({ hostname: "127.0.0.1", port });

/** What the object's socket has seen, once that is enough. */
async function seen(object: string, condition: (seen: Seen) => boolean): Promise<Seen> {
  for (let i = 0;; i++) {
    const answer = await tell<Seen>(object, "seen");
    if (condition(answer)) return answer;
    assert(i < 200, `saw ${JSON.stringify(answer)}`);
    await pass(100);
  }
}

async function listen<T extends net.Server>(
  server: T,
): Promise<{ readonly server: T; readonly port: number }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as net.AddressInfo).port };
}

/** A TLS server that sends back what it gets. `raw` has what is below, `ended` who sends no more. */
async function secure(identity: Identity) {
  const { certificate: cert, key } = identity;
  const raw: net.Socket[] = [];
  const ended: tls.TLSSocket[] = [];
  const made = tls.createServer({ cert, key, allowHalfOpen: true } as tls.TlsOptions, (socket) => {
    socket.on("error", () => {});
    socket.on("end", () => void ended.push(socket));
    socket.on("data", (chunk: Uint8Array) => void socket.write(chunk));
  });
  made.on("connection", (socket: net.Socket) => void raw.push(socket));
  return { ...await listen(made), raw, ended };
}

inWorkerd("workerd starts", async () => {
  const { authority } = await certificates();
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, authority.certificate);
  await begin({ ca });
});

inWorkerd("the address is the one that was dialled, as it was given", async () => {
  const { server, port } = await listen(net.createServer());
  for (const hostname of ["127.0.0.1", "localhost"]) {
    assertEquals(await tell("a", "dial", [{ hostname, port }]), {
      localAddress: { hostname: "", port: 0 },
      remoteAddress: { hostname, port },
    });
  }
  server.close();
});

inWorkerd("nobody there", async () => {
  const { server, port } = await listen(net.createServer());
  server.close();
  await once(server, "close");
  const refused = await failure("a", "dial", [target(port)]);
  assertEquals([refused.name, refused.code], ["ConnectionError", "connect-failed"]);
  assertMatch(refused.message, /^Cannot connect to 127\.0\.0\.1:\d+: .*cannot connect/);
  const unknown = await failure("a", "dial", [{ hostname: "nobody.invalid", port: 1 }]);
  assertEquals(unknown.code, "connect-failed");
});

inWorkerd("what a Worker cannot do is refused", async () => {
  const { server, port } = await listen(net.createServer());
  for (
    const [options, named] of [
      [{ tcpNoDelay: false }, `"tcpNoDelay: false"`],
      [{ tcpKeepAlive: true }, `"tcpKeepAlive"`],
      [{ tls: { insecure: true } }, `"tls.insecure"`],
    ] as const
  ) {
    const { name, message } = await failure("a", "dial", [target(port), options]);
    assertEquals(name, "TypeError");
    assertStringIncludes(message, named);
  }
  await tell("a", "dial", [target(port)]);
  assertEquals(await tell("a", "delay", true), null);
  assertStringIncludes((await failure("a", "delay", false)).message, "tcpNoDelay: false");
  for (const operation of ["listen", "serve"]) {
    const { name, message } = await failure("a", operation);
    assertEquals(name, "TypeError");
    assertStringIncludes(message, "use serve() on Deno, Bun or Node");
  }
  server.close();
});

inWorkerd("TLS: the server's certificate is verified, and each direction ends by itself", async () => {
  const { server: identity } = await certificates();
  const { server, port, ended } = await secure(identity);
  assertEquals(await tell("b", "secure", { hostname: "localhost", port }), {
    localAddress: { hostname: "", port: 0 },
    remoteAddress: { hostname: "localhost", port },
    tls: { serverName: "localhost", authorized: true },
  });
  await tell("b", "write", "hello");
  await seen("b", ({ text }) => text === "hello");
  await tell("b", "shutdown");
  for (let i = 0; ended.length === 0; i++) {
    assert(i < 200, "the end did not arrive");
    await pass(100);
  }
  ended[0]!.end(", after the end");
  const { events, text, code } = await seen("b", ({ closes }) => closes > 0);
  assertEquals(text, "hello, after the end");
  assertEquals(events.filter((name) => name !== "written"), ["data", "end", "close"]);
  assertEquals(code, undefined);
  server.close();
});

inWorkerd("TLS: a server's end comes first, and what we write then arrives", async () => {
  const { server: identity } = await certificates();
  const late: string[] = [];
  const { server, port } = await secure(identity);
  server.on("secureConnection", (socket: tls.TLSSocket) => {
    socket.end("bye");
    socket.on("data", (chunk: Uint8Array) => void late.push(String(chunk)));
  });
  await tell("c", "secure", { hostname: "localhost", port });
  await seen("c", ({ events }) => events.includes("end"));
  await tell("c", "write", "late");
  await tell("c", "shutdown");
  const { code, text } = await seen("c", ({ closes }) => closes > 0);
  assertEquals([code, text, late.join("")], [undefined, "bye", "late"]);
  server.close();
});

inWorkerd("TLS: a reset is told", async () => {
  const { server: identity } = await certificates();
  const { server, port, raw } = await secure(identity);
  await tell("d", "secure", { hostname: "localhost", port });
  raw[0]!.resetAndDestroy();
  const { code } = await seen("d", ({ closes }) => closes > 0);
  assertEquals(code, "ECONNRESET");
  server.close();
});

inWorkerd("TLS: an end that the server did not announce is told", async () => {
  const { server: identity } = await certificates();
  const { server, port } = await secure(identity);
  // Takes both directions to the server and back, and ends the Worker's without the server.
  const paths: net.Socket[] = [];
  const path = await listen(net.createServer((caller) => {
    const called = net.connect(port, "127.0.0.1");
    for (const [from, to] of [[caller, called], [called, caller]] as const) {
      from.on("data", (chunk) => void to.write(chunk)).on("error", () => {});
    }
    paths.push(caller, called);
  }));
  await tell("f", "secure", { hostname: "localhost", port: path.port });
  await tell("f", "write", "hello");
  await seen("f", ({ text }) => text === "hello");
  paths[0]!.end();
  const { events, code } = await seen("f", ({ closes }) => closes > 0);
  assertEquals(events.filter((name) => name !== "written"), ["data", "close"]);
  assertEquals(code, "ECONNRESET");
  for (const socket of paths) socket.destroy();
  path.server.close();
  server.close();
});

inWorkerd("TLS: who is not who it should be, or says nothing, is no connection", async () => {
  const { other, unknown, expired } = await certificates();
  for (const identity of [other, unknown, expired]) {
    const { server, port } = await secure(identity);
    const { code } = await failure("e", "secure", { hostname: "localhost", port });
    assertEquals(code, "connect-failed");
    server.close();
  }
  const silent = await listen(net.createServer());
  const { code } = await failure("e", "dial", [
    { hostname: "localhost", port: silent.port },
    { tls: true, timeout: 500 },
  ]);
  assertEquals(code, "connect-timeout");
  silent.server.close();
});

inWorkerd("the Worker ends", async () => {
  await finish();
  rmSync(folder, { recursive: true, force: true });
});
