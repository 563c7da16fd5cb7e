import { test } from "node:test";
import fc from "fast-check";
import { assert, assertEquals } from "@std/assert";
import { NONE, SlotLists } from "../../lib/time/slot_lists.ts";

const SLOTS = 70;

/** Lists, and what should be in them, by the plainest means. */
function pair() {
  const lists = new SlotLists(SLOTS);
  const model: number[][] = Array.from({ length: SLOTS }, () => []);
  const places = new Map<number, number>();
  return {
    lists,
    push(slot: number, number: number): void {
      places.set(number, lists.push(slot, number));
      model[slot]!.push(number);
    },
    take(slot: number): void {
      assertEquals(lists.take(slot), model[slot]!.pop() ?? NONE);
    },
    clear(number: number): void {
      const list = model.find((list) => list.includes(number));
      if (list === undefined) return;
      lists.clear(places.get(number)!);
      list.splice(list.indexOf(number), 1);
    },
    /** Compares all that can be seen. */
    check(): void {
      const some = new Int32Array(40);
      for (const [slot, list] of model.entries()) {
        assertEquals([...some.subarray(0, lists.ahead(slot, some))], list.slice(-40).reverse());
      }
      const filled = model.flatMap((list, slot) => list.length > 0 ? [slot] : []);
      for (let from = 0; from < SLOTS; from++) {
        assertEquals(lists.filledFrom(from, SLOTS), filled.find((slot) => slot >= from) ?? NONE);
      }
    },
  };
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant("push" as const), fc.nat({ max: 2 }), fc.nat()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("push" as const), fc.nat({ max: SLOTS - 1 }), fc.nat()) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("clear" as const), fc.constant(0), fc.nat()) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("take" as const), fc.nat({ max: 2 }), fc.nat()) },
);

test("Whatever is put in, taken out and taken from the end: what is left is what should be, in its order", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 400 }), (steps) => {
      const { push, clear, take, check } = pair();
      let given = 0;
      for (const [kind, slot, choice] of steps) {
        if (kind === "push") push(slot, given++);
        else if (kind === "take") take(slot);
        else if (given > 0) clear(choice % given);
      }
      check();
    }),
    { numRuns: 300 },
  );
});

test("A slot that is emptied from its middle, its start and its end is empty, and can be filled again", () => {
  const { lists, push, clear, take, check } = pair();
  for (const order of [[1, 0, 2], [0, 1, 2], [2, 1, 0]]) {
    for (let number = 0; number < 96; number++) push(7, number);
    for (const block of order) for (let i = 0; i < 32; i++) clear(32 * block + i);
    check();
    assertEquals(lists.filledFrom(0, SLOTS), NONE);
    assertEquals(lists.take(7), NONE);
  }
  push(7, 1);
  push(7, 2);
  take(7);
  check();
});

test("Places at the end that are empty again are filled by the next numbers", () => {
  const lists = new SlotLists(SLOTS);
  const places = [1, 2, 3, 4].map((number) => lists.push(0, number));
  lists.clear(places[3]!);
  lists.take(0);
  lists.take(0);
  assertEquals(lists.push(0, 5), places[2]);
});

test("A number that moves for ever from slot to slot takes no more memory", () => {
  const lists = new SlotLists(SLOTS);
  const places = Array.from({ length: 100 }, (_, number) => lists.push(0, number));
  let highest = 0;
  for (let round = 0; round < 2_000; round++) {
    for (let number = 0; number < 100; number++) {
      lists.clear(places[number]!);
      places[number] = lists.push((round + number) % SLOTS, number);
      highest = Math.max(highest, places[number]!);
    }
  }
  assert(highest < 32 * 2 * (100 + SLOTS), `a place of number ${highest}`);
});
