import { test } from "node:test";
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { OnDemand } from "../lib/on_demand.ts";

test("A part is loaded when it is first asked for, once, and is there at once from then on", async () => {
  let loads = 0;
  const part = new OnDemand(() => Promise.resolve({ number: ++loads }));
  assertEquals(loads, 0);
  const first = await part.get();
  assertStrictEquals(part.get(), first);
  assertEquals([loads, first.number], [1, 1]);
});

test("A part that could not be loaded is tried again by the next who asks", async () => {
  const answers = [Promise.reject(new Error("no descriptor left")), Promise.resolve({ there: true })];
  answers[0]!.catch(() => {});
  const part = new OnDemand(() => answers.shift()!);
  await assertRejects(async () => await part.get(), Error, "no descriptor left");
  assertEquals(await part.get(), { there: true });
});

test("A part that was provided is not loaded", () => {
  const part = new OnDemand<{ given: boolean }>(() => Promise.reject(new Error("loaded")));
  part.provide({ given: true });
  assertEquals(part.get(), { given: true });
});
