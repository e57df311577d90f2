import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT_CLASSES } from "./ladder-event.ts";
import { GPU_FAULT_CLASSES } from "./gpu-fault-classes.ts";
import { scheduleOf } from "./ladder-scenario.ts";

const SEEDS = Array.from({ length: 400 }, (_, at) => at + 1);

test("400 seeds draw every class of events, each seed its own mix of them", () => {
  const schedules = SEEDS.map((seed) => scheduleOf({ seed, loadMs: 60_000 }));
  const counts = Map.groupBy(schedules.flat(), ({ className }) => className);
  for (const { name } of EVENT_CLASSES) assert.ok((counts.get(name)?.length ?? 0) >= 60, `${name}: ${counts.get(name)?.length ?? 0}`);
  const mixes = new Set(schedules.map((schedule) => [...new Set(schedule.map(({ className }) => className))].toSorted().join()));
  assert.ok(mixes.size > 390, `${mixes.size} mixes`);
  const sizes = schedules.map((schedule) => new Set(schedule.map(({ className }) => className)).size);
  assert.ok(Math.min(...sizes) <= 5 && Math.max(...sizes) >= 18, `${Math.min(...sizes)} to ${Math.max(...sizes)} classes`);
});

test("a seed's events are numbered in order of time, inside the load, and drawn alike each time", () => {
  for (const seed of SEEDS.slice(0, 50)) {
    const schedule = scheduleOf({ seed, loadMs: 20_000 });
    assert.deepEqual(schedule, scheduleOf({ seed, loadMs: 20_000 }));
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

test("faults of GPUs are drawn of their own chance: without them a seed is what it was, with them nothing of it moves", () => {
  const known = new Set(GPU_FAULT_CLASSES.map(({ name }) => name));
  const seen: string[] = [];
  for (const seed of SEEDS.slice(0, 100)) {
    const load = { seed, loadMs: 60_000 };
    const withThem = scheduleOf({ ...load, hasGpuFaults: true });
    const unnumbered = (schedule: ReturnType<typeof scheduleOf>) => schedule.map((scheduled) => ({ ...scheduled, index: 0 }));
    assert.deepEqual(unnumbered(withThem.filter(({ className }) => !known.has(className))), unnumbered(scheduleOf(load)));
    assert.deepEqual(
      withThem.map(({ index }) => index),
      withThem.map((_, at) => at + 1),
    );
    assert.ok(withThem.every(({ atMs }, at) => atMs >= (withThem[at - 1]?.atMs ?? 0)));
    seen.push(...withThem.map(({ className }) => className));
  }
  for (const name of known) assert.ok(seen.filter((one) => one === name).length >= 60, name);
});
