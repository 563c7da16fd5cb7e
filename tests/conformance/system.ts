/**
 * Conformance: what the kernel and the file system see of options and listeners.
 *
 * @module
 */

import { existsSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import type { ConnectionError } from "../../lib/errors.ts";
import type { Target, TcpAddress } from "../../lib/transport/transport.ts";
import { start } from "../support/runtime.ts";
import { hasSs, ss } from "../support/ss.ts";
import { bytesOf, check, eventually, Log, pass, refusal, type Suite, toArgument } from "./harness.ts";

export function testSystem(suite: Suite): void {
  testKeepAlive(suite);
  // How a listener dies has nothing to do with what is spoken over its sockets.
  if (suite.module === undefined || suite.secured) return;
  if (suite.kind === "tcp") testDeath(suite);
  else testFiles(suite, suite.module);
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
        const line = () => timerOf(socket.localAddress as TcpAddress, socket.remoteAddress as TcpAddress);
        // What TLS has just sent must be acknowledged first.
        if (suite.secured) await eventually("the acknowledgement", () => !line().includes("timer:(on"));
        assertMatch(line(), shown);
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

/** The line of `ss -tno` for one end of a connection. */
function timerOf(local: TcpAddress, remote: TcpAddress): string {
  const [line] = ss("-tnoH", `sport = :${local.port} and dport = :${remote.port}`);
  assert(line, "ss does not know the socket");
  return line;
}
