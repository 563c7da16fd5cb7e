import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { HeartbeatKey } from "../../lib/connection/heartbeat_key.ts";
import { text } from "../support/feed.ts";

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Test cases 1 to 3 of RFC 4231.
for (
  const [key, data, proof] of [
    [
      new Uint8Array(20).fill(0x0b),
      text("Hi There"),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      text("Jefe"),
      text("what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [
      new Uint8Array(20).fill(0xaa),
      new Uint8Array(50).fill(0xdd),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ],
  ] as const
) {
  test(`HMAC-SHA-256 of RFC 4231: ${proof.slice(0, 8)}`, async () => {
    assertEquals(hex(await new HeartbeatKey(key).sign(data)), proof);
  });
}

test("A proof is right for its challenge and its key, and for no other", async () => {
  const key = new HeartbeatKey(text("0123456789abcdef")), challenge = text("challenge");
  const proof = await key.sign(challenge);
  assertEquals(proof.length, 32);
  assert(await key.verify(proof, challenge));
  assert(!await key.verify(proof, text("Challenge")));
  assert(!await new HeartbeatKey(text("0123456789abcdeF")).verify(proof, challenge));
  for (let at = 0; at < 32; at++) {
    const forged = proof.slice();
    forged[at]! ^= 1;
    assert(!await key.verify(forged, challenge), `byte ${at}`);
  }
});

test("A proof that is cut short, or longer, is wrong", async () => {
  const key = new HeartbeatKey(text("0123456789abcdef")), challenge = text("challenge");
  const proof = await key.sign(challenge);
  for (const length of [0, 1, 16, 31]) assert(!await key.verify(proof.slice(0, length), challenge));
  assert(!await key.verify(Uint8Array.from([...proof, 0]), challenge));
});

test("A challenge may be a part of a larger buffer", async () => {
  const key = new HeartbeatKey(text("0123456789abcdef"));
  const whole = await key.sign(text("challenge")), part = await key.sign(text("my challenge").subarray(3));
  assertEquals(part, whole);
});
