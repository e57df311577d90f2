import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT_CLASSES } from "./ladder-event.ts";
import { scheduleOf } from "./ladder-scenario.ts";

const SEEDS = Array.from({ length: 400 }, (_, at) => at + 1);

test("400 seeds draw every class of events, each seed its own mix of them", () => {
  const schedules = SEEDS.map((seed) => scheduleOf(seed, 60_000));
  const counts = Map.groupBy(schedules.flat(), ({ className }) => className);
  for (const { name } of EVENT_CLASSES) assert.ok((counts.get(name)?.length ?? 0) >= 60, `${name}: ${counts.get(name)?.length ?? 0}`);
  const mixes = new Set(schedules.map((schedule) => [...new Set(schedule.map(({ className }) => className))].toSorted().join()));
  assert.ok(mixes.size > 390, `${mixes.size} mixes`);
  const sizes = schedules.map((schedule) => new Set(schedule.map(({ className }) => className)).size);
  assert.ok(Math.min(...sizes) <= 5 && Math.max(...sizes) >= 18, `${Math.min(...sizes)} to ${Math.max(...sizes)} classes`);
});

test("a seed's events are numbered in order of time, inside the load, and drawn alike each time", () => {
  for (const seed of SEEDS.slice(0, 50)) {
    const schedule = scheduleOf(seed, 20_000);
    assert.deepEqual(schedule, scheduleOf(seed, 20_000));
    assert.deepEqual(
      schedule.map(({ index }) => index),
      schedule.map((_, at) => at + 1),
    );
    const times = schedule.map(({ atMs }) => atMs);
    assert.deepEqual(
      times,
      times.toSorted((left, right) => left - right),
    );
    assert.ok(times.every((atMs) => atMs > 0 && atMs <= 20_000));
  }
});
