/**
 * Conformance: connecting, listening, addresses and options.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertMatch, assertRejects } from "@std/assert";
import { ConnectionError } from "../../lib/errors.ts";
import { describe } from "../../lib/transport/failure.ts";
import type { Listener, Socket, Target, TcpAddress } from "../../lib/transport/transport.ts";
import { hasSs, ss } from "../support/ss.ts";
import { bytesOf, check, eventually, Log, pass, refusal, type Suite, within } from "./harness.ts";

export function testOpening(suite: Suite): void {
  const { transport, kind, label } = suite;
  const { capabilities } = transport;

  check(suite, "the addresses of both ends match", async (bench) => {
    const { client, server, door } = await bench.pair();
    const { address } = door.listener;
    if ("path" in address) {
      assertEquals(client.remoteAddress, address);
      assertEquals(server.localAddress, address);
      assertEquals(server.remoteAddress, { path: "" });
      assertEquals(client.localAddress, { path: "" });
      return;
    }
    assertGreater(address.port, 0);
    assertEquals(address.hostname, "127.0.0.1");
    assertEquals(client.remoteAddress, address);
    assertEquals(server.localAddress, address);
    assertEquals(server.remoteAddress, client.localAddress);
    assertEquals((client.localAddress as TcpAddress).hostname, "127.0.0.1");
  });

  check(suite, "nobody there", async (bench) => {
    const door = await bench.listen();
    const { address } = door.listener;
    await door.listener.close();
    const error = await refusal(transport.connect(address));
    const [code, words] = kind === "unix"
      ? ["ENOENT", "no such file"]
      : ["ECONNREFUSED", "connection refused"];
    assertEquals([error.code, error.systemCode], ["connect-failed", code]);
    assertEquals(error.message, `Cannot connect to ${describe(address)}: ${words} (${code})`);
    assert(suite.module === undefined || error.cause !== undefined, "the runtime's own error is lost");
  });

  check(suite, "an address in use", async (bench) => {
    // Where a socket file lies, somebody may knock to see whether it is in use.
    const { listener: { address } } = await bench.listen({ accept: echo });
    const error = await refusal(transport.listen!(address, { accept: () => {} }));
    assertEquals([error.code, error.systemCode, error.origin], ["listen-failed", "EADDRINUSE", "local"]);
    assertEquals(error.message, `Cannot listen on ${describe(address)}: address already in use (EADDRINUSE)`);
    // The one that was there is none the worse for it.
    const log = new Log(await bench.connect(address)).start();
    log.socket.write(bytesOf("still here"));
    await log.until("the answer", () => log.received === 10);
  });

  check(suite, "wrong options are the caller's mistake", async (bench) => {
    const { listener } = await bench.listen();
    const connect = (options: object, target: Target = listener.address) => () =>
      transport.connect(target, options);
    const listen = (options: object, target: Target = bench.target()) => () =>
      transport.listen!(target, { accept() {}, ...options });
    await assertRejects(connect({ timeout: 0 }), RangeError, `"timeout" must be > 0: current value is 0`);
    await assertRejects(connect({ timeout: NaN }), RangeError, `"timeout"`);
    await assertRejects(connect({}, { hostname: "127.0.0.1", port: 65_536 }), RangeError, `"port"`);
    await assertRejects(connect({}, { hostname: "127.0.0.1", port: 0 }), RangeError, `"port"`);
    await assertRejects(connect({}, { hostname: "", port: 1 }), TypeError, `"hostname"`);
    await assertRejects(listen({}, { hostname: "127.0.0.1", port: -1 }), RangeError, `"port"`);
    await assertRejects(listen({}, { hostname: "127.0.0.1", port: 1.5 }), RangeError, `"port"`);
    await assertRejects(listen({}, { path: "" }), TypeError, `"path"`);
    await assertRejects(listen({ accept: undefined }), TypeError, `"accept"`);
    if (capabilities.backlog) await assertRejects(listen({ backlog: 0 }), RangeError, `"backlog"`);
    if (capabilities.tcpKeepAliveDelay && kind === "tcp") {
      for (const initialDelay of [0, 999, 1500, Infinity, NaN, -1000]) {
        await assertRejects(connect({ tcpKeepAlive: { initialDelay } }), RangeError, `"initialDelay"`);
      }
    }
  });

  check(suite, "close of a listener frees its address, and spares its sockets", async (bench) => {
    const { client, server, door } = await bench.started();
    const { listener } = door;
    const { address } = listener;
    await within(listener.close(), "close");
    await within(listener.close(), "close");
    const error = await refusal(transport.connect(address));
    assertEquals(error.code, "connect-failed");
    client.socket.write(bytesOf("to server"));
    server.socket.write(bytesOf("to client"));
    await server.until("the bytes", () => server.received === 9);
    await client.until("the bytes", () => client.received === 9);
    assertEquals(listener.address, address);

    const again = await bench.listen({}, address);
    assertEquals(again.listener.address, address);
    const [next] = await Promise.all([again.next(), bench.connect(address)]);
    assertEquals(next.localAddress, address);
  });

  check(suite, "close of a listener in the turn of its opening", async (bench) => {
    for (let i = 0; i < 10; i++) {
      const { listener } = await bench.listen();
      const closing = [listener.close(), listener.close()];
      await within(Promise.all(closing), "close");
      assertEquals((await refusal(transport.connect(listener.address))).code, "connect-failed");
    }
  });

  check(suite, "nothing is accepted after close", async (bench) => {
    let accepted = 0;
    let died = 0;
    const { listener } = await bench.listen({
      accept: (socket) => {
        accepted++;
        socket.abort();
      },
      died: () => void died++,
    });
    await transport.connect(listener.address).catch(() => {}); // Dropped, perhaps before it is told so.
    await eventually("the accept", () => accepted === 1);
    const dialling = Array.from({ length: 20 }, () => transport.connect(listener.address).catch(() => {}));
    await listener.close();
    const seen = accepted;
    await pass(100);
    assertEquals(accepted, seen);
    assertEquals(died, 0, "an ordinary close was reported as a death");
    for (const socket of await within(Promise.all(dialling), "connect")) socket?.abort();
  });

  check(suite, "an error thrown by accept does not harm the listener", async (bench) => {
    const errors: unknown[] = [];
    const broken = new Error("handler is broken");
    let accepted = 0;
    let good: Log | undefined;
    const { listener } = await bench.listen({
      accept: (socket) => {
        if (++accepted <= 3) throw broken;
        good = new Log(socket).start();
      },
      failed: (error) => void errors.push(error),
    });
    for (let i = 1; i <= 3; i++) {
      let client: Socket;
      try {
        client = await bench.connect(listener.address);
      } catch {
        continue; // Dropped before it was told that it had been accepted.
      }
      const log = new Log(client).start();
      await log.until("the end of a socket nobody took", () => log.closes > 0 || log.events.includes("end"));
    }
    await eventually("the errors", () => errors.length === 3);
    const client = await bench.connect(listener.address);
    client.write(bytesOf("hello"));
    await eventually("a socket that works", () => good?.received === 5);
    assertEquals(errors, [broken, broken, broken]);
  });

  check(suite, "sockets are accepted in order and started later", async (bench) => {
    const door = await bench.listen();
    const clients = [];
    for (let i = 0; i < 5; i++) {
      const client = await bench.connect(door.listener.address);
      client.write(Uint8Array.of(i));
      clients.push(client);
    }
    for (let i = 0; i < 5; i++) {
      const log = new Log(await door.next()).start();
      await log.until("a byte", () => log.received === 1);
      assertEquals(log.bytes(), Uint8Array.of(i));
    }
  });

  check(suite, "setNoDelay may be called at any time", async (bench) => {
    const { client, server } = await bench.started();
    client.socket.setNoDelay(false);
    client.socket.setNoDelay(true);
    server.socket.setNoDelay(false);
    client.socket.write(bytesOf("x"));
    await server.until("a byte", () => server.received === 1);
    const slow = await bench.connect((await bench.listen({ tcpNoDelay: false })).listener.address, {
      tcpNoDelay: false,
    });
    slow.setNoDelay(true);
  });

  check(suite, "reusePort is honoured or refused", async (bench) => {
    const listen = (target: Target) => transport.listen!(target, { accept() {}, reusePort: true });
    if (!capabilities.reusePort || kind === "unix") {
      await assertRejects(() => listen(bench.target()), TypeError, "reusePort");
      return;
    }
    const first = await listen(bench.target());
    bench.after(() => first.close());
    const second = await listen(first.address);
    bench.after(() => second.close());
    assertEquals(second.address, first.address);
    await refusal(transport.listen!(first.address, { accept() {} }));
  });

  check(suite, "backlog is honoured or refused", async (bench) => {
    if (!capabilities.backlog) {
      await assertRejects(() => bench.listen({ backlog: 17 }), TypeError, "backlog");
      return;
    }
    const { listener } = await bench.listen({ backlog: 17 });
    const { address } = listener;
    if (suite.module === undefined || "path" in address || !hasSs()) return;
    const [line] = ss("-ltnH", `sport = :${address.port}`);
    assertEquals(line?.split(/\s+/)[2], "17", line);
  });

  if (kind === "tcp") {
    check(suite, "IPv6", async (bench) => {
      let listener: Listener;
      try {
        ({ listener } = await bench.listen({}, { hostname: "::1", port: 0 }));
      } catch (error) {
        assert(error instanceof ConnectionError);
        if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(error.systemCode ?? "")) throw error;
        console.log(`skipped: ${label} IPv6: ${error.message}`);
        return;
      }
      const client = await bench.connect(listener.address);
      assertEquals((listener.address as TcpAddress).hostname, "::1");
      assertEquals(client.remoteAddress, listener.address);
      await listener.close();
      assertMatch((await refusal(transport.connect(listener.address))).message, /\[::1\]:\d+/);
    });

    check(suite, "a host name is looked up", async (bench) => {
      const door = await bench.listen();
      const { port } = door.listener.address as TcpAddress;
      const client = await bench.connect({ hostname: "localhost", port });
      assertEquals(client.remoteAddress, door.listener.address);
    });
  }

  if (suite.module === undefined) return;

  if (kind === "tcp") {
    check(suite, "an address that is not this machine's", async () => {
      const target = { hostname: "192.0.2.1", port: 0 };
      const error = await refusal(transport.listen!(target, { accept() {} }));
      assertEquals([error.code, error.systemCode], ["listen-failed", "EADDRNOTAVAIL"]);
    });
  }
}

/** Answers with what it gets. */
function echo(socket: Socket): void {
  const log = new Log(socket);
  log.onData = (chunk) => void socket.write(chunk);
  log.start();
}
