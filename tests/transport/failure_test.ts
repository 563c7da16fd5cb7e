import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ConnectionError } from "../../lib/errors.ts";
import {
  connectFailed,
  connectTimedOut,
  describe,
  listenerDied,
  listenFailed,
  socketError,
  systemCodeOf,
} from "../../lib/transport/failure.ts";

const TARGET = { hostname: "127.0.0.1", port: 80 };

/** An error as a runtime makes it. */
function reported(name: string, message: string, facts: object = {}): Error {
  return Object.assign(new Error(message), { name, ...facts });
}

test("describe shows every kind of address", () => {
  assertEquals(describe(TARGET), "127.0.0.1:80");
  assertEquals(describe({ hostname: "example.com", port: 1 }), "example.com:1");
  assertEquals(describe({ hostname: "::1", port: 80 }), "[::1]:80");
  assertEquals(describe({ path: "app.sock" }), "app.sock");
  assertEquals(describe({ path: "" }), "an unnamed Unix socket");
});

test("systemCodeOf takes the code, whatever the sign of errno", () => {
  const node = reported("Error", "listen EADDRINUSE", { code: "EADDRINUSE", errno: -98 });
  const bun = reported("Error", "Failed to listen at 127.0.0.1", { code: "EADDRINUSE", errno: 98 });
  const deno = reported("AddrInUse", "Address already in use (os error 98)");
  for (const error of [node, bun, deno]) assertEquals(systemCodeOf(error), "EADDRINUSE");
});

test("systemCodeOf finds what has no code", () => {
  assertEquals(
    systemCodeOf(reported("ConnectionRefused", "Connection refused (os error 111)")),
    "ECONNREFUSED",
  );
  assertEquals(systemCodeOf(reported("NotFound", "No such file")), "ENOENT");
  const lookUp = "failed to lookup address information: ";
  assertEquals(systemCodeOf(new Error(`${lookUp}Name or service not known`)), "ENOTFOUND");
  assertEquals(systemCodeOf(new Error(`${lookUp}Temporary failure in name resolution`)), "EAI_AGAIN");
  const both = new AggregateError([reported("Error", "", { code: "ECONNREFUSED" }), new Error("other")]);
  assertEquals(systemCodeOf(both), "ECONNREFUSED");
});

test("systemCodeOf knows no code where there is none", () => {
  for (
    const error of [
      undefined,
      null,
      "ECONNRESET",
      new Error("x"),
      reported("Error", "", { code: 98 }),
      reported("Error", "", { code: "ERR_STREAM_DESTROYED" }),
      reported("Error", "", { code: "wrong" }),
      reported("toString", ""),
      new AggregateError([]),
    ]
  ) {
    assertStrictEquals(systemCodeOf(error), undefined);
  }
});

test("connectFailed says what failed, and keeps the cause", () => {
  const cause = reported("Error", "connect ECONNREFUSED", { code: "ECONNREFUSED", errno: -111 });
  const error = connectFailed({ hostname: "127.0.0.1", port: 1 }, cause);
  assert(error instanceof ConnectionError);
  assertEquals(error.message, "Cannot connect to 127.0.0.1:1: connection refused (ECONNREFUSED)");
  assertEquals([error.code, error.systemCode, error.origin], ["connect-failed", "ECONNREFUSED", "network"]);
  assertStrictEquals(error.cause, cause);
});

test("the system's own timeout is a timeout", () => {
  const error = connectFailed(TARGET, reported("Error", "", { code: "ETIMEDOUT" }));
  assertEquals([error.code, error.systemCode], ["connect-timeout", "ETIMEDOUT"]);
  assertEquals(error.message, "Cannot connect to 127.0.0.1:80: the system gave up waiting (ETIMEDOUT)");
});

test("connectTimedOut says how long it took", () => {
  const error = connectTimedOut(TARGET, 250);
  assertEquals(error.message, "Cannot connect to 127.0.0.1:80: no answer in 250 ms");
  assertEquals([error.code, error.systemCode], ["connect-timeout", undefined]);
});

test("listenFailed says what failed, and that it is our side", () => {
  const cause = reported("Error", "listen EACCES", { code: "EACCES" });
  const error = listenFailed(TARGET, cause);
  assertEquals(error.message, "Cannot listen on 127.0.0.1:80: permission denied (EACCES)");
  assertEquals([error.code, error.systemCode, error.origin], ["listen-failed", "EACCES", "local"]);
  assertStrictEquals(error.cause, cause);
});

test("listenerDied names the address", () => {
  const error = listenerDied(TARGET, reported("Error", "", { code: "EINVAL" }));
  assertEquals(error.message, "Listener on 127.0.0.1:80 died: invalid argument (EINVAL)");
  assertEquals([error.code, error.origin], ["listen-failed", "local"]);
});

test("a missing permission on Deno names the flag to add", () => {
  const text = (flag: string) => `Requires access to "127.0.0.1:80", run again with the ${flag} flag`;
  for (
    const [message, flag] of [[text("--allow-net"), "--allow-net"], [text("--allow-read"), "--allow-read"], [
      "Requires something",
      "--allow-net",
    ]]
  ) {
    const error = listenFailed(TARGET, reported("NotCapable", message!));
    assertEquals(
      error.message,
      `Cannot listen on 127.0.0.1:80: Deno was not given the permission, run it with ${flag}`,
    );
    assertStrictEquals(error.systemCode, undefined);
  }
});

test("an unknown code, and no code at all, show the runtime's own words", () => {
  assertEquals(
    connectFailed(TARGET, reported("Error", "weird thing", { code: "EWEIRD" })).message,
    "Cannot connect to 127.0.0.1:80: weird thing (EWEIRD)",
  );
  assertEquals(connectFailed(TARGET, new Error("odd")).message, "Cannot connect to 127.0.0.1:80: odd");
  assertEquals(connectFailed(TARGET, "odd").message, "Cannot connect to 127.0.0.1:80: odd");
});

test("socketError gives an error with a code in any case", () => {
  const coded = reported("Error", "read ECONNRESET", { code: "ECONNRESET" });
  assertStrictEquals(socketError(coded), coded);

  const named = reported("BrokenPipe", "Broken pipe (os error 32)");
  const broken = socketError(named) as Error & { code: string };
  assertEquals([broken.code, broken.message], ["EPIPE", "peer has closed"]);
  assertStrictEquals(broken.cause, named);

  const nothing = socketError(undefined) as Error & { code: string };
  assertEquals([nothing.code, nothing.message], ["ECONNRESET", "connection reset"]);
  assert(!("cause" in nothing));
  assertEquals((socketError(undefined, "ECONNABORTED") as Error & { code: string }).code, "ECONNABORTED");
});

test("a message says what OpenSSL's long ones mean", () => {
  const openssl =
    "802CC5B9507F0000:error:0A000460:SSL routines:ssl3_read_bytes:tlsv1 alert no application protocol" +
    ":../deps/openssl/openssl/ssl/record/rec_layer_s3.c:1601:SSL alert number 120\n";
  const boring = "error:10000133:SSL routines:OPENSSL_internal:NO_APPLICATION_PROTOCOL";
  const say = (message: string) =>
    connectFailed(TARGET, reported("Error", message, { code: "ERR_SSL_X" })).message;
  assertEquals(say(openssl), "Cannot connect to 127.0.0.1:80: tlsv1 alert no application protocol");
  assertEquals(say(boring), "Cannot connect to 127.0.0.1:80: no application protocol");
  assertEquals(say("certificate has expired"), "Cannot connect to 127.0.0.1:80: certificate has expired");
});
