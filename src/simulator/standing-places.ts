import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import { formatPlacement } from "../api/mig-layout.ts";
import { assert } from "../base/assert.ts";
import type { World } from "./world.ts";

export type StandingPlaces = Readonly<Record<string, string>>;

/** `v-warm-1` -> `gpu-a/0 1g-double@2 Ready`, of what is bound; of several GPUs `gpu-a/0+1 whole Ready`. */
export async function standingPlaces(world: World): Promise<StandingPlaces> {
  const [listed, configs] = await Promise.all([world.store.list("GPUPartition"), world.store.list("HotStandbyConfig")]);
  assert(listed.ok && configs.ok, "the store answers");
  const statuses = configs.value.items.flatMap(({ status }) => (status === null ? [] : [parseServiceStatus(status)]));
  const states = new Map<string, string>(
    statuses.flatMap((read) => (read.ok ? read.value.instances.map(({ name, state }) => [name, state] as const) : [])),
  );
  const partitions = listed.value.items.flatMap((resource) => {
    const read = parseGpuPartition(resource);
    return read.ok && read.value.node !== null ? [read.value] : [];
  });
  return Object.fromEntries(
    [...Map.groupBy(partitions, ({ instance }) => instance)].map(([instance, members]) => {
      const gpus = members.map(({ gpu }) => gpu).toSorted((one, other) => one - other);
      const cut = members.map(({ mig }) => (mig === null ? "whole" : formatPlacement(mig)))[0];
      return [instance, `${members[0]?.node}/${gpus.join("+")} ${cut} ${states.get(instance) ?? "-"}`];
    }),
  );
}

/** Plays on until everybody named stands there. */
export async function untilStanding(world: World, places: StandingPlaces, withinMs: number): Promise<void> {
  const untilMs = world.clock.monotonicMs() + withinMs;
  for (;;) {
    const now = await standingPlaces(world);
    if (Object.entries(places).every(([instance, place]) => now[instance] === place)) return;
    assert(world.clock.monotonicMs() < untilMs, `after ${withinMs} ms: ${JSON.stringify(now)}`);
    await world.clock.advance(100);
  }
}
