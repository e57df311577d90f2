import assert from "node:assert/strict";
import test from "node:test";
import { monotonicMs } from "../base/ids.ts";
import { capTokens } from "./token-cap.ts";
import { Concurrency } from "./concurrency.ts";
import { HoldQueue, type Held } from "./hold-queue.ts";

const held = (bodyBytes: number, untilMs = 100): Held => ({ bodyBytes, holdUntil: monotonicMs(untilMs) });

test("hold queue: it is bounded in count and in bytes, and what it holds always has room", () => {
  const queue = new HoldQueue({ countMax: 2, bytesMax: 100 });
  const [first, second] = [held(60), held(40)];
  assert.equal(queue.hasRoomFor(held(101)), false);
  queue.add(first);
  queue.add(first);
  assert.equal(queue.hasRoomFor(held(41)), false);
  queue.add(second);
  assert.equal(queue.hasRoomFor(held(0)), false);
  assert.equal(queue.hasRoomFor(first), true);
  queue.remove(first);
  queue.remove(first);
  assert.equal(queue.hasRoomFor(held(60)), true);
  assert.equal(queue.count, 1);
});

test("hold queue: oldest first, expired at its deadline", () => {
  const queue = new HoldQueue({ countMax: 9, bytesMax: 9 });
  const items = [held(1, 300), held(1, 100), held(1, 200)];
  for (const item of items) queue.add(item);
  assert.deepEqual(queue.waiting(), items);
  assert.deepEqual(queue.expired(monotonicMs(199)), [items[1]]);
  assert.deepEqual(queue.expired(monotonicMs(200)), [items[1], items[2]]);
});

test("concurrency: a handle frees its place once", () => {
  const open = new Concurrency();
  const first = open.enter(2);
  assert.notEqual(open.enter(2), null);
  assert.equal(open.enter(2), null);
  first?.release();
  first?.release();
  assert.equal(open.open, 1);
  assert.notEqual(open.enter(null), null);
});

test("token cap: more is refused, nothing gets the limit, less passes", () => {
  assert.deepEqual(capTokens(10, null), { kind: "pass" });
  assert.deepEqual(capTokens(null, 64), { kind: "set", maxTokens: 64 });
  assert.deepEqual(capTokens(64, 64), { kind: "pass" });
  assert.deepEqual(capTokens(65, 64), { kind: "refuse", limit: 64 });
});
