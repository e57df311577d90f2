import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "../base/json.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { fakeConfig, fakeNode, fakePlacements } from "./fake-fleet.ts";
import { recoveryMs } from "./recovery-time.ts";
import { vetConfig } from "./vet-config.ts";
import { vetLosses, type Fleet } from "./vet-losses.ts";

const LINKS = ["hostToGpu", "disk", "network"] as const;
const COLDS: readonly JsonObject[] = [{}, { memoryReserved: "75GB" }, { imageCache: true, memoryReserved: "75GB" }];
const gigabytes = (max: number) => fc.integer({ min: 1, max });

const node = (index: number) =>
  fc
    .record({ zone: fc.constantFrom(null, "z1", "z2"), hostToGpu: gigabytes(60), disk: gigabytes(30), network: gigabytes(30) })
    .map(({ zone, ...links }) =>
      fakeNode(`n${index}`, zone, { links: Object.fromEntries(Object.entries(links).map(([link, rate]) => [link, `${rate}GB`])) }),
    );

const service = (index: number) =>
  fc
    .record({
      tier: fc.constantFrom("platinum", "gold", "silver"),
      priority: fc.integer({ min: -1, max: 1 }),
      weights: gigabytes(60),
      hotCount: fc.integer({ min: 1, max: 2 }),
      warmCount: fc.integer({ min: 0, max: 2 }),
      rest: fc.constantFrom("asleep", "resident"),
      cold: fc.constantFrom(...COLDS),
      autoFailover: fc.boolean(),
      rtoSeconds: fc.integer({ min: 1, max: 30 }),
      places: fc.array(fc.record({ node: fc.nat(3), gpu: fc.nat(3) }), { minLength: 5, maxLength: 5 }),
    })
    .map((drawn) => ({
      places: drawn.places,
      config: fakeConfig(`s${index}`, {
        tier: drawn.tier,
        priority: drawn.priority,
        model: { name: "m", weights: `${drawn.weights}GB` },
        hotStandby: { gpuCount: drawn.hotCount },
        warmStandby: { gpuCount: drawn.warmCount, rest: drawn.rest },
        coldStandby: drawn.cold,
        failoverPolicy: { autoFailover: drawn.autoFailover, rtoTarget: `${drawn.rtoSeconds}s` },
      }),
    }));

const world = fc.record({
  nodes: fc.integer({ min: 2, max: 4 }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => node(index)))),
  services: fc.integer({ min: 2, max: 5 }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => service(index)))),
  link: fc.constantFrom(...LINKS),
  at: fc.nat(4),
  factor: fc.integer({ min: 2, max: 10 }),
});
type World = typeof world extends fc.Arbitrary<infer Drawn> ? Drawn : never;

/** Everybody keeps the place that was drawn, whoever else is there. */
function fleetOf({ nodes, services }: Pick<World, "nodes" | "services">): Fleet {
  const names = ["hot-1", "hot-2", "warm-1", "warm-2", "cold-1"];
  const places = services.flatMap(({ config, places: drawn }) =>
    names.map(
      (name, index) => [`${config.name}-${name}`, `n${(drawn[index]?.node ?? 0) % nodes.length}/${drawn[index]?.gpu ?? 0}`] as const,
    ),
  );
  return { configs: services.map(({ config }) => config), nodes, placements: fakePlacements(Object.fromEntries(places)) };
}

/** Milliseconds by service and loss, that of one engine too; endless where nothing is left. */
function timesOf(fleet: Fleet): ReadonlyMap<string, number> {
  const joint = [...vetLosses(fleet)].flatMap(([name, losses]) =>
    losses.map(({ loss, time }) => [`${name} ${loss}`, time === null ? Number.POSITIVE_INFINITY : recoveryMs(time)] as const),
  );
  const alone = fleet.configs.map((config) => {
    const { recovery, impossible } = vetConfig(config, fleet.nodes);
    return [`${config.name} alone`, recovery === null || impossible !== null ? Number.POSITIVE_INFINITY : recoveryMs(recovery)] as const;
  });
  return new Map([...joint, ...alone]);
}

/** Rounding of sums in another order is no change. */
const ROUNDING_MS = 0.001;
function assertNoneIsLater(times: ReadonlyMap<string, number>, than: ReadonlyMap<string, number>): void {
  assert.ok(times.size > 0);
  for (const [key, ms] of times) assert.ok(ms <= (than.get(key) ?? Number.NaN) + ROUNDING_MS, `${key}: ${ms} after ${than.get(key)}`);
}

const faster = (of: GpuNode, link: World["link"], factor: number): GpuNode => ({
  ...of,
  links: { ...of.links, [link]: of.links[link] * factor },
});
const lighter = (config: HotStandbyConfig, factor: number): HotStandbyConfig => ({
  ...config,
  model: { ...config.model, weightsBytes: Math.floor(config.model.weightsBytes / factor) },
});

test("a faster link makes no recovery later, and nothing impossible", () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const fleet = fleetOf(drawn);
      const nodes = fleet.nodes.map((of, index) => (index === drawn.at % fleet.nodes.length ? faster(of, drawn.link, drawn.factor) : of));
      assertNoneIsLater(timesOf({ ...fleet, nodes }), timesOf(fleet));
    }),
    { seed: 11, numRuns: 300 },
  );
});

test("fewer bytes of one service make no recovery later, its own and all others", () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const fleet = fleetOf(drawn);
      const configs = fleet.configs.map((config, index) =>
        index === drawn.at % fleet.configs.length ? lighter(config, drawn.factor) : config,
      );
      assertNoneIsLater(timesOf({ ...fleet, configs }), timesOf(fleet));
    }),
    { seed: 12, numRuns: 300 },
  );
});

test("one more service makes no joint promise better", () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const all = timesOf(fleetOf(drawn));
      const fewer = timesOf(fleetOf({ ...drawn, services: drawn.services.slice(0, -1) }));
      assertNoneIsLater(fewer, all);
    }),
    { seed: 13, numRuns: 300 },
  );
});

test("a dearer tier comes back no later than a cheaper twin that stands at the same places", () => {
  fc.assert(
    fc.property(world, service(9), ({ nodes, services }, { places, config }) => {
      const cheap = { places, config: fakeTwin(config, "silver") };
      const dear = { places, config: fakeTwin(config, "platinum") };
      assertNoneIsLater(
        timesOfTwin(fleetOf({ nodes, services: [dear, ...services] })),
        timesOfTwin(fleetOf({ nodes, services: [cheap, ...services] })),
      );
    }),
    { seed: 14, numRuns: 100 },
  );
});

const fakeTwin = (config: HotStandbyConfig, tier: HotStandbyConfig["tier"]): HotStandbyConfig => ({ ...config, tier });
/** What the twin does to others is another matter. */
const timesOfTwin = (fleet: Fleet): ReadonlyMap<string, number> => new Map([...timesOf(fleet)].filter(([key]) => key.startsWith("s9 ")));
