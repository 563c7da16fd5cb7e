/**
 * HAProxy in front of a server that speaks TLS: `mode tcp`, with `send-proxy` or `send-proxy-v2`.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { connect, detectTransport, lines, serve, type TcpAddress } from "../../mod.ts";
import { certificates } from "../support/certificates.ts";
import { killAll, lacking, launch, pause } from "../support/processes.ts";

const noTls = (await detectTransport()).capabilities.tls === undefined &&
  "this runtime's transport has no TLS";
const skip = noTls || lacking("haproxy", "-v");
if (skip) console.log(`skipped: ${skip}`);

/** A port that nobody listens on, for now. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

for (const [version, word] of [[1, "send-proxy"], [2, "send-proxy-v2"]] as const) {
  test(`A server that speaks TLS knows its callers behind HAProxy, version ${version}`, {
    timeout: 60_000,
    skip,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-haproxy-"));
    try {
      const { authority, server: { certificate, key } } = await certificates();
      const seen: [host: string, proxy: string, protocol: string | undefined][] = [];
      const errors: unknown[] = [];
      await using server = await serve({
        port: 0,
        protocol: lines(),
        tls: { certificate, key },
        proxyProtocol: { trusted: ["127.0.0.2"] },
        onError: (error) => void errors.push(error),
      }, (connection) => {
        const { remoteAddress, tls } = connection;
        const { hostname } = remoteAddress as TcpAddress;
        const proxy = "proxy" in remoteAddress ? (remoteAddress.proxy as TcpAddress).hostname : "none";
        seen.push([hostname, proxy, tls?.protocol]);
        connection.onMessage = (line) => connection.send(line.toUpperCase());
      });
      const port = await freePort();
      const config = join(folder, "haproxy.cfg");
      writeFileSync(
        config,
        [
          "defaults",
          "  mode tcp",
          "  timeout connect 5s",
          "  timeout client 1m",
          "  timeout server 1m",
          "frontend front",
          `  bind 127.0.0.1:${port}`,
          "  default_backend back",
          "backend back",
          // From an address of its own, so that it is told from its callers.
          "  source 127.0.0.2",
          `  server one 127.0.0.1:${(server.address as TcpAddress).port} ${word}`,
          "",
        ].join("\n"),
      );
      launch(["haproxy", "-db", "-f", config]);
      const options = { protocol: lines(), tls: { ca: authority.certificate } };
      let connection;
      for (let tries = 0; connection === undefined; tries++) {
        connection = await connect({ hostname: "127.0.0.1", port }, options).catch((error) => {
          if (tries > 100) throw error;
        });
        if (connection === undefined) await pause(50);
      }
      const heard: string[] = [];
      const question = "question ".repeat(5_000);
      await connection.send(question);
      for await (const line of connection) {
        heard.push(line);
        if (heard.length === 1) await connection.send("last");
        else break;
      }
      assertEquals(heard, [question.toUpperCase(), "LAST"]);
      await connection.close();
      assertStrictEquals(seen.at(-1)![0], "127.0.0.1");
      assertEquals(seen.at(-1)!.slice(1), ["127.0.0.2", "TLSv1.3"]);
      assertEquals(errors, []);
    } finally {
      await killAll();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
