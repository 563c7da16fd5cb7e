import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import { memoryNetwork } from "../../lib/transport/memory.ts";
import { transport as node } from "../../lib/transport/node.ts";
import { splitNames, tlsClient } from "../../lib/transport/tls_engine.ts";
import { certificates } from "../support/certificates.ts";

test("splitNames() takes alternative names apart, also those that pretend to be several", () => {
  assertEquals(splitNames(""), []);
  assertEquals(splitNames("DNS:localhost"), ["DNS:localhost"]);
  assertEquals(splitNames("DNS:a.test, DNS:*.b.test, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"), [
    "DNS:a.test",
    "DNS:*.b.test",
    "IP:127.0.0.1",
    "IP:0:0:0:0:0:0:0:1",
  ]);
  assertEquals(splitNames('DNS:"a.test, DNS:evil.test", URI:https://c.test/x'), [
    "DNS:a.test, DNS:evil.test",
    "URI:https://c.test/x",
  ]);
  assertEquals(splitNames('DNS:"quote \\" here", DNS:b'), ['DNS:quote " here', "DNS:b"]);
});

test("tlsClient() reads the options of one object once", async () => {
  const { authority: { certificate: ca } } = await certificates();
  const options = { ca };
  assertEquals(tlsClient(options) === tlsClient(options), true);
  assertEquals(tlsClient(options) === tlsClient({ ca }), false);
  assertEquals(tlsClient(true) === tlsClient(true), true);
});

test("a transport without TLS refuses it, and does not connect in plain text", async () => {
  const { server: { certificate, key } } = await certificates();
  const onDeno = "deno" in process.versions;
  const without = [memoryNetwork().transport, ...(onDeno ? [node] : [])];
  for (const transport of without) {
    assertEquals(transport.capabilities.tls, undefined);
    const target = { hostname: "127.0.0.1", port: 9 };
    const message = `as transport "${transport.name}" cannot honour "tls"${
      transport === node ? `: on Deno use transport "deno"` : ""
    }`;
    await assertRejects(
      () => transport.connect(target, { tls: true }),
      TypeError,
      `Cannot connect ${message}`,
    );
    await assertRejects(
      () => transport.listen!(target, { accept() {}, tls: { certificate, key } }),
      TypeError,
      `Cannot listen ${message}`,
    );
  }
});
