import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { nameOf, newTicket, sameSecret } from "../../lib/session/ticket.ts";

test("A ticket has an id of 8 bytes and a secret of 128 bits, both drawn from the source given", () => {
  const asked: number[] = [];
  const ticket = newTicket((bytes) => {
    asked.push(bytes.length);
    bytes.fill(asked.length);
  });
  assertEquals(asked, [8, 16]);
  assertEquals(ticket, { id: new Uint8Array(8).fill(1), secret: new Uint8Array(16).fill(2) });
});

test("By default tickets are drawn from the system: no two are alike", () => {
  const names = new Set<string>(), secrets = new Set<string>();
  for (let i = 0; i < 1_000; i++) {
    const ticket = newTicket();
    names.add(nameOf(ticket));
    secrets.add(ticket.secret.join());
  }
  assertEquals([names.size, secrets.size], [1_000, 1_000]);
});

test("A session is found by its id alone, every byte of it", () => {
  const secret = new Uint8Array(16);
  assertEquals(nameOf({ id: Uint8Array.from([0, 1, 15, 16, 255, 0, 0, 9]), secret }), "00010f10ff000009");
  assertEquals(
    nameOf({ id: new Uint8Array(8), secret }),
    nameOf({ id: new Uint8Array(8), secret: secret.slice().fill(1) }),
  );
});

test("Secrets are the same if every byte is", () => {
  const secret = Uint8Array.from({ length: 16 }, (_, i) => i);
  assert(sameSecret(secret, secret.slice()));
  for (let at = 0; at < 16; at++) {
    for (const bit of [1, 128]) {
      const other = secret.slice();
      other[at]! ^= bit;
      assert(!sameSecret(secret, other), `byte ${at}`);
    }
  }
});

test("A secret that is shorter or longer is another one, be its bytes the same", () => {
  const secret = new Uint8Array(16);
  for (const length of [0, 1, 8, 15, 17, 32]) {
    assert(!sameSecret(secret, new Uint8Array(length)), `${length}`);
    assert(!sameSecret(new Uint8Array(length), secret), `${length}`);
  }
});
