import assert from "node:assert/strict";
import test from "node:test";
import { monotonicMs, serviceName, tenantId } from "../base/ids.ts";
import { createGatewayMetrics } from "./gateway-metrics.ts";
import { ServiceDesks, type HeldRequest, type ServiceDesk } from "./service-desk.ts";

const of = (tenant: string) => ({ service: serviceName("tide"), tenant: tenantId(tenant) });

/** Held requests, in order: true = it goes when asked. @returns those that were asked, by index. */
function hold(desk: ServiceDesk, goes: readonly boolean[]): readonly number[] {
  const asked: number[] = [];
  for (const [index, isGoing] of goes.entries()) {
    const request: HeldRequest = {
      bodyBytes: 1,
      holdUntil: monotonicMs(1),
      pump: () => {
        asked.push(index);
        if (isGoing) desk.holds.remove(request);
      },
      keepAlive: () => undefined,
    };
    desk.holds.add(request);
  }
  return asked;
}

for (const { name, goes, room, asked } of [
  { name: "the oldest as many as there is room for", goes: [true, true, true], room: 2, asked: [0, 1] },
  { name: "those behind one that cannot go", goes: [false, true, true, true], room: 2, asked: [0, 1, 2] },
  { name: "nobody without room", goes: [true], room: 0, asked: [] },
  { name: "all where nobody says how many", goes: [false, true, false], room: Infinity, asked: [0, 1, 2] },
]) {
  test(`service desk: asks ${name}`, () => {
    const desk = new ServiceDesks(createGatewayMetrics()).of(of("a"));
    const seen = hold(desk, goes);
    desk.pumpHeld(room);
    assert.deepEqual(seen, asked);
  });
}

test("service desk: of a long queue that cannot go only a part is asked each time", () => {
  const desk = new ServiceDesks(createGatewayMetrics()).of(of("a"));
  const seen = hold(
    desk,
    Array.from({ length: 500 }, () => false),
  );
  desk.pumpHeld(3);
  assert.ok(seen.length >= 3 && seen.length < 100, `${seen.length} asked`);
});

test("service desk: when a service gets another tenant, what the old one's clients wait for goes on, and is told of no more", () => {
  const desks = new ServiceDesks(createGatewayMetrics());
  const old = desks.of(of("a"));
  hold(old, [false]);
  const next = desks.of(of("b"));
  assert.notEqual(next, old);
  assert.deepEqual(new Set(desks.all()), new Set([old, next]));
  assert.deepEqual(desks.current(), [next]);
  assert.equal(desks.of(of("a")), old);
});
