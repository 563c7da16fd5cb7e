/**
 * Conformance: connecting, listening, addresses and options.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { assert, assertEquals, assertGreater, assertLess, assertMatch, assertRejects } from "@std/assert";
import { ConnectionError } from "../../lib/errors.ts";
import { describe } from "../../lib/transport/failure.ts";
import type { Listener, Socket, Target, TcpAddress } from "../../lib/transport/transport.ts";
import { start } from "../support/runtime.ts";
import {
  type Bench,
  type BlackHole,
  bytesOf,
  check,
  descriptors,
  eventually,
  Log,
  pass,
  skip,
  type Suite,
  toArgument,
  within,
} from "./harness.ts";

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

  check(suite, "a signal that has already fired stops connect", async (bench) => {
    const { listener } = await bench.listen();
    const reason = new Error("changed my mind");
    const thrown = await assertRejects(() =>
      transport.connect(listener.address, { signal: AbortSignal.abort(reason) })
    );
    assertEquals(thrown, reason);
  });

  check(suite, "a signal that fires in the turn of connect stops it", async (bench) => {
    const { listener } = await bench.listen();
    const controller = new AbortController();
    const connecting = transport.connect(listener.address, { signal: controller.signal });
    const reason = new Error("changed my mind");
    controller.abort(reason);
    assertEquals(await assertRejects(() => within(connecting, "connect")), reason);
  });

  check(suite, "a signal and a timeout that come after the open have no effect", async (bench) => {
    const door = await bench.listen();
    const counted = countedSignal();
    const client = await bench.connect(door.listener.address, { signal: counted.signal, timeout: 150 });
    const server = new Log(await door.next()).start();
    const log = new Log(client).start();
    assertEquals(counted.listeners(), 0, "still listens to the signal");
    counted.abort();
    await pass(250);
    client.write(bytesOf("still open"));
    await server.until("the bytes", () => server.received === 10);
    assertEquals(log.events.filter((name) => name !== "written"), []);
  });

  testBlackHole(suite);

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

  testKeepAlive(suite);

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
    testDeath(suite);
  } else {
    testFiles(suite, suite.module);
  }
}

/** Dialling an address that never answers: it ends in time, and leaves nothing behind. */
function testBlackHole(suite: Suite): void {
  const { transport, kind, label, module } = suite;
  const blackHole = suite.blackHole ?? deafListener;
  if (suite.blackHole === undefined && kind === "unix") {
    skip(
      `${label} unix: connect to a peer that never answers`,
      "a Unix socket whose backlog is full refuses",
    );
    return;
  }

  check(suite, "connect gives up after its timeout", async (bench) => {
    const { target } = await open(bench);
    const began = performance.now();
    const error = await refusal(transport.connect(target, { timeout: 300 }));
    assertEquals(error.code, "connect-timeout");
    assertEquals(error.message, `Cannot connect to ${describe(target)}: no answer in 300 ms`);
    assertGreater(performance.now() - began, 290);
    assertLess(performance.now() - began, 10_000);
  });

  check(suite, "connect gives up when its signal fires, and leaves nothing behind", async (bench) => {
    const { target } = await open(bench);
    const before = await descriptors();
    const counted = countedSignal();
    const tries = Array.from(
      { length: 10 },
      () => transport.connect(target, { signal: counted.signal, timeout: 60_000 }),
    );
    await pass(150);
    const reason = counted.abort();
    for (const attempt of tries) {
      assertEquals(await assertRejects(() => within(attempt, "connect", 5_000)), reason);
    }
    assertEquals(counted.listeners(), 0, "still listens to the signal");
    if (before === undefined || module === undefined) return;
    await eventually("the sockets' end", async () => (await descriptors())! <= before);
  });

  check(suite, "a signal that is heard in vain is let go", async (bench) => {
    const { target } = await open(bench);
    const counted = countedSignal();
    await refusal(transport.connect(target, { signal: counted.signal, timeout: 100 }));
    assertEquals(counted.listeners(), 0, "still listens to the signal");
  });

  if (module === undefined) return;

  check(suite, "a process ends although it was dialling", async (bench) => {
    const { target } = await open(bench);
    for (const how of ["timeout", "abort"]) {
      const program = start(new URL("programs/dial.ts", import.meta.url), [
        module.href,
        toArgument(target),
        how,
      ]);
      bench.after(() => program.kill("SIGKILL"));
      assertEquals(await program.line(), how === "timeout" ? "connect-timeout" : "changed my mind");
      assertEquals(await program.ended(5_000), 0);
    }
  });

  async function open(bench: Bench): Promise<BlackHole> {
    const hole = await blackHole();
    bench.after(() => hole.close());
    return hole;
  }
}

/** A listener whose process is stopped and whose backlog is full, so that the kernel answers no SYN. */
async function deafListener(): Promise<BlackHole> {
  const { default: net } = await import("node:net");
  const program = start(new URL("programs/deaf.ts", import.meta.url));
  const target = JSON.parse(await program.line()) as TcpAddress;
  program.kill("SIGSTOP");
  const fillers: { destroy(): void }[] = [];
  // Bun does not pass the backlog on, and takes 512.
  for (let i = 0;; i++) {
    const filler = net.connect({ host: target.hostname, port: target.port });
    filler.on("error", () => {});
    fillers.push(filler);
    const opened = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 300);
      filler.once("connect", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!opened) break;
    if (i === 1_000) throw new Error("the backlog never fills");
  }
  return {
    target,
    async close() {
      for (const filler of fillers) filler.destroy();
      program.kill("SIGKILL");
      await program.ended();
    },
  };
}

/** The kernel's probes, as `ss` shows them. */
function testKeepAlive(suite: Suite): void {
  const { transport, kind, label, module } = suite;
  const { tcpKeepAlive, tcpKeepAliveDelay } = transport.capabilities;
  const cases = [
    ["tcpKeepAlive: true", true, tcpKeepAlive, /timer:\(keepalive,(119min|120min|[67]\d\d\dsec|2h)/],
    ["tcpKeepAlive: 30 s", { initialDelay: 30_000 }, tcpKeepAliveDelay, /timer:\(keepalive,(29|30)/],
  ] as const;

  for (const [name, setting, can, shown] of cases) {
    check(suite, `${name} is honoured or refused`, async (bench) => {
      const door = await bench.listen();
      const { address } = door.listener;
      if (!can || kind === "unix") {
        await assertRejects(
          () => transport.connect(address, { tcpKeepAlive: setting }),
          TypeError,
          "tcpKeepAlive",
        );
        await assertRejects(() => bench.listen({ tcpKeepAlive: setting }), TypeError, "tcpKeepAlive");
        const { client } = await bench.pair();
        let refused: unknown;
        try {
          client.setTcpKeepAlive(setting);
        } catch (error) {
          refused = error;
        }
        assert(refused instanceof TypeError, "setTcpKeepAlive did not throw");
        client.setTcpKeepAlive(false);
        return;
      }
      const probing = await bench.listen({ tcpKeepAlive: setting });
      const [client, server] = await Promise.all([
        bench.connect(probing.listener.address, { tcpKeepAlive: setting }),
        probing.next(),
      ]);
      const later = await bench.pair();
      later.client.setTcpKeepAlive(setting);
      later.server.setTcpKeepAlive(setting);
      const off = await bench.pair();
      off.client.setTcpKeepAlive(setting);
      off.client.setTcpKeepAlive(false);
      if (module === undefined) return;
      if (!hasSs()) return console.log(`skipped: ${label} ${name} in the kernel: there is no ss`);
      for (const socket of [client, server, later.client, later.server]) {
        const line = timerOf(socket.localAddress as TcpAddress, socket.remoteAddress as TcpAddress);
        assertMatch(line, shown);
      }
      for (const { localAddress, remoteAddress } of [off.client, off.server]) {
        const line = timerOf(localAddress as TcpAddress, remoteAddress as TcpAddress);
        assert(!line.includes("keepalive"), line);
      }
    });
  }
}

/** A listening socket that the kernel takes away, as an administrator may. */
function testDeath(suite: Suite): void {
  check(suite, "a listener that dies is told of, once, and does not spin", async (bench) => {
    const deaths: unknown[] = [];
    const { listener } = await bench.listen({ accept() {}, died: (error) => void deaths.push(error) });
    const { port } = listener.address as TcpAddress;
    if (!hasSs()) return console.log(`skipped: ${suite.label} death of a listener: there is no ss`);
    try {
      ss("-KH", "state", "listening", "sport", "=", `:${port}`);
    } catch {
      // Not permitted; seen below.
    }
    if (ss("-ltnH", `sport = :${port}`).length > 0) {
      return console.log(`skipped: ${suite.label} death of a listener: ss -K is not permitted`);
    }
    await eventually("the report", () => deaths.length > 0);
    const { user } = process.cpuUsage();
    await pass(500);
    assertLess(process.cpuUsage().user - user, 400_000, "a dead listener burns the processor");
    assertEquals(deaths.length, 1);
    const [error] = deaths as [ConnectionError];
    assertEquals(error.code, "listen-failed");
    assertEquals(error.origin, "local");
    await listener.close();
  });
}

/** What lies at the path of a Unix socket. */
function testFiles(suite: Suite, module: URL): void {
  const { transport } = suite;
  const pathOf = (target: Target) => (target as { path: string }).path;

  check(suite, "the file is gone after close", async (bench) => {
    const target = bench.target();
    const { listener } = await bench.listen({}, target);
    assert(existsSync(pathOf(target)));
    await listener.close();
    assert(!existsSync(pathOf(target)));
  });

  check(suite, "the file of a killed process is replaced", async (bench) => {
    const target = bench.target();
    const program = start(new URL("programs/listen.ts", import.meta.url), [module.href, toArgument(target)]);
    await program.line();
    const live = await refusal(transport.listen!(target, { accept() {} }));
    assertEquals([live.code, live.systemCode], ["listen-failed", "EADDRINUSE"]);
    program.kill("SIGKILL");
    await program.ended();
    assert(existsSync(pathOf(target)));
    const stale = await refusal(transport.connect(target));
    assertEquals([stale.code, stale.systemCode], ["connect-failed", "ECONNREFUSED"]);
    const door = await bench.listen({}, target);
    const [client, server] = await Promise.all([bench.connect(target), door.next()]);
    const log = new Log(server).start();
    client.write(bytesOf("alive"));
    await log.until("the bytes", () => log.received === 5);
  });

  check(suite, "an ordinary file is never replaced", async (bench) => {
    const target = bench.target();
    writeFileSync(pathOf(target), "precious");
    const error = await refusal(transport.listen!(target, { accept() {} }));
    assertEquals([error.code, error.systemCode], ["listen-failed", "EADDRINUSE"]);
    assertEquals(await readFile(pathOf(target), "utf8"), "precious");
  });

  check(suite, "a path in a folder that is not there", async (bench) => {
    const target = { path: `${pathOf(bench.target())}/a/b.sock` };
    const error = await refusal(transport.listen!(target, { accept() {} }));
    assertEquals(error.code, "listen-failed");
    assertMatch(error.systemCode ?? "", /ENOENT|EACCES/);
  });
}

/** The `ConnectionError` that `promise` rejects with. A socket or listener that came nevertheless is dropped. */
async function refusal(promise: Promise<{ abort?(): void; close?(): unknown }>): Promise<ConnectionError> {
  const error = await assertRejects(async () => {
    const opened = await within(promise, "the refusal");
    opened.abort?.();
    await opened.close?.();
  });
  assert(error instanceof ConnectionError, `rejected with ${error}`);
  return error;
}

/** Answers with what it gets. */
function echo(socket: Socket): void {
  const log = new Log(socket);
  log.onData = (chunk) => void socket.write(chunk);
  log.start();
}

/** A signal that knows how many listen to it. */
function countedSignal(): { signal: AbortSignal; listeners(): number; abort(): Error } {
  const controller = new AbortController();
  const { signal } = controller;
  const known = new Set<unknown>();
  const add = signal.addEventListener.bind(signal) as (...rest: unknown[]) => void;
  const remove = signal.removeEventListener.bind(signal) as (...rest: unknown[]) => void;
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: unknown, options?: { once?: boolean }) => {
        known.add(listener);
        add(type, listener, options);
        if (options?.once) add(type, () => known.delete(listener), { once: true });
      },
    },
    removeEventListener: {
      value: (type: string, listener: unknown) => {
        known.delete(listener);
        remove(type, listener);
      },
    },
  });
  return {
    signal,
    listeners: () => known.size,
    abort() {
      const reason = new Error("changed my mind");
      controller.abort(reason);
      return reason;
    },
  };
}

let ssFound: boolean | undefined;

function hasSs(): boolean {
  if (ssFound === undefined) {
    try {
      ss("-ltnH", "sport = :1");
      ssFound = true;
    } catch {
      ssFound = false;
    }
  }
  return ssFound;
}

/** Lines that `ss` prints. */
function ss(...args: string[]): string[] {
  const text = execFileSync("ss", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** The line of `ss -tno` for one end of a connection. */
function timerOf(local: TcpAddress, remote: TcpAddress): string {
  const [line] = ss("-tnoH", `sport = :${local.port} and dport = :${remote.port}`);
  assert(line, "ss does not know the socket");
  return line;
}
