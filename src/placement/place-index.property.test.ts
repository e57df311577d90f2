import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GB } from "../base/bytes.ts";
import { instanceName, nodeName, serviceName, tenantId, type InstanceName } from "../base/ids.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import { matchesNode } from "../api/match-node.ts";
import { SPOT_POOL_LABEL, spotPoolOf } from "../api/spot-pool.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { createFleetRoom, type FleetRoom, type GpuRoom } from "./fleet-room.ts";
import { memberOf, offerAt, type GpuOffer } from "./gpu-offer.ts";
import { slicesOf } from "./place-instances.ts";
import type { Fleet, GpuPlace, HeldSlice, InstanceRequest, PlacedMember } from "./placement-request.ts";

// What the index must give, by looking at every GPU of every node each time.

function scan(request: InstanceRequest, room: FleetRoom): readonly PlacedMember[] | null {
  const nodes = room.nodes.filter((node) => matchesNode(node, request));
  const able = nodes.filter(
    (node) => offersAt(request, node, room).length >= request.memberBytes.length && room.freeHostBytes(node) >= request.hostBytes,
  );
  const [best] = able.map((node) => ({ node, rank: rankAt(request, node, room) })).toSorted(byRank);
  if (best === undefined) return null;
  return bestOffers(request, best.node, room).map((offer, index) => memberOf(offer, request.memberBytes[index] ?? 0));
}

const offersAt = (request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly GpuOffer[] =>
  room.gpusOf(node.name).flatMap((gpu) => (isOpen(request, gpu, room) ? (offerAt(request, gpu) ?? []) : []));

function isOpen(request: InstanceRequest, gpu: GpuRoom, room: FleetRoom): boolean {
  if (gpu.isTaken || room.isClosed(gpu) || room.isQuarantined(gpu, request.service)) return false;
  return request.isExclusive ? gpu.holderCount === 0 : !gpu.services.has(request.service);
}

function bestOffers(request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly GpuOffer[] {
  const keyOf = ({ gpu, wasteMilli, tightness }: GpuOffer) => [gpu.holderCount === 0 ? 1 : 0, wasteMilli, tightness, gpu.gpu];
  return offersAt(request, node, room)
    .toSorted((left, right) => compare(keyOf(left), keyOf(right)))
    .slice(0, request.memberBytes.length);
}

function rankAt(request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly number[] {
  const [first] = bestOffers(request, node, room);
  const companions = room
    .slicesOf(request.service)
    .filter(({ instance, level }) => instance !== request.instance && (level === "hot" || (request.level === "hot" && level === "warm")));
  const countOf = (near: (slice: HeldSlice) => boolean): number => new Set(companions.filter(near).map(({ instance }) => instance)).size;
  return [
    countOf((slice) => slice.node === node.name),
    request.level === "hot" && node.capacityType === "spot" ? 1 : 0,
    countOf((slice) => poolAt(node.name, room) !== null && poolAt(slice.node, room) === poolAt(node.name, room)),
    countOf((slice) => node.zone !== null && room.nodeOf(slice.node)?.zone === node.zone),
    request.isExclusive ? 0 : first?.gpu.holderCount === 0 ? 1 : 0,
    first?.wasteMilli ?? 0,
    first?.tightness ?? 0,
    room.gpusOf(node.name).filter((gpu) => gpu.holderCount === 0).length,
  ];
}

function poolAt(name: GpuNode["name"], room: FleetRoom): string | null {
  const node = room.nodeOf(name);
  return node === null ? null : spotPoolOf(node);
}

interface Ranked {
  readonly node: GpuNode;
  readonly rank: readonly number[];
}
const byRank = (left: Ranked, right: Ranked): number => compare(left.rank, right.rank) || (left.node.name < right.node.name ? -1 : 1);
const compare = (left: readonly number[], right: readonly number[]): number =>
  left.map((value, at) => value - (right[at] ?? 0)).find((difference) => difference !== 0) ?? 0;

const SERVICES = ["s1", "s2", "s3"].map(serviceName);
const place = fc.record({ node: fc.integer({ min: 0, max: 5 }).map((index) => nodeName(`n${index}`)), gpu: fc.nat(3) });

const gpuNode = (index: number) =>
  fc
    .record({
      zone: fc.constantFrom(null, "z1", "z2"),
      capacityType: fc.constantFrom("on-demand" as const, "spot" as const),
      hostMemoryBytes: fc.integer({ min: 0, max: 100 }).map((gigabytes) => gigabytes * GB),
      rack: fc.constantFrom("r1", "r2"),
      pool: fc.constantFrom(null, "p1", "p2"),
      gpus: fc.array(
        fc.constantFrom(
          { model: "A100-40GB", memoryBytes: 40 * GB, modes: ["exclusive", "mps"] as const },
          { model: "A100-80GB", memoryBytes: 80 * GB, modes: ["exclusive", "mps", "vgpu"] as const },
          { model: "H100-80GB", memoryBytes: 80 * GB, modes: ["exclusive", "mig", "mps"] as const },
          { model: "H100-80GB", memoryBytes: 80 * GB, modes: ["exclusive", "mps"] as const },
        ),
        { minLength: 1, maxLength: 4 },
      ),
    })
    .map(({ rack, pool, gpus, ...rest }): GpuNode => ({
      ...rest,
      name: nodeName(`n${index}`),
      labels: { rack, ...(pool === null ? {} : { [SPOT_POOL_LABEL]: pool }) },
      links: { hostToGpu: 1, disk: 1, network: 1 },
      gpus: gpus.map((gpu, at) => ({ index: at, ...gpu })),
    }));

const request = (index: number) =>
  fc
    .record({
      service: fc.constantFrom(...SERVICES),
      level: fc.constantFrom("hot" as const, "warm" as const, "cold" as const),
      isolation: fc.constantFrom("none" as const, "weak" as const, "medium" as const, "strong" as const),
      isExclusive: fc.boolean(),
      memberBytes: fc.constantFrom([10 * GB], [10 * GB], [30 * GB], [20 * GB, 20 * GB], [70 * GB]),
      capBytes: fc.constantFrom(null, null, 15 * GB),
      hostBytes: fc.constantFrom(0, 0, 30 * GB),
      capacityType: fc.constantFrom(null, null, "spot" as const),
      nodeSelector: fc.constantFrom({}, {}, { rack: "r1" }),
      computePercent: fc.constantFrom(20, 50),
    })
    .map((rest): InstanceRequest => ({
      ...rest,
      instance: instanceName(`i${index}`),
      tenant: tenantId("t"),
      tier: "gold",
      priority: 0,
      mayBeOversold: false,
    }));

const strangerAt = (at: GpuPlace, instance: InstanceName, memoryBytes: number): HeldSlice => ({
  ...at,
  instance,
  memoryBytes,
  service: null,
  level: null,
  mode: null,
  mig: null,
  hostBytes: 0,
});

const fleetOf = fc
  .record({
    nodes: fc.integer({ min: 1, max: 6 }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => gpuNode(index)))),
    lost: fc.array(place, { maxLength: 2 }),
    strangers: fc.array(fc.record({ place, gigabytes: fc.constantFrom(1, 30, 60) }), { maxLength: 3 }),
    quarantined: fc.array(fc.record({ place, service: fc.constantFrom(...SERVICES) }), { maxLength: 4 }),
  })
  .map(({ nodes, lost, strangers, quarantined }): Fleet => ({
    nodes,
    lost,
    held: strangers.map(({ place: at, gigabytes }, index) => strangerAt(at, instanceName(`stranger-${index}`), gigabytes * GB)),
    quarantined: quarantined.map((entry) => ({ ...entry.place, service: entry.service })),
  }));
/** A GPU is closed or none is, an instance comes, and one that came before may go. */
const steps = fc
  .integer({ min: 1, max: 24 })
  .chain((count) =>
    fc.tuple(
      ...Array.from({ length: count }, (_, index) => fc.record({ asked: request(index), leaves: fc.nat(40), closed: fc.option(place) })),
    ),
  );

test("whatever came and went before, the index chooses what a scan of every node chooses, and refuses where that finds none", () => {
  fc.assert(
    fc.property(fleetOf, steps, (fleet, moves) => {
      const room = createFleetRoom(fleet);
      const held: { readonly asked: InstanceRequest; readonly members: readonly PlacedMember[] }[] = [];
      for (const { asked, leaves, closed } of moves) {
        room.close(closed === null ? [] : [closed]);
        const isOverCap = asked.capBytes !== null && Math.max(...asked.memberBytes) > asked.capBytes;
        const now = [...fleet.held, ...held.flatMap((one) => slicesOf(one.asked, one.members))];
        const expected = isOverCap ? null : scan(asked, createFleetRoom({ ...fleet, held: now, closed: closed === null ? [] : [closed] }));
        const chosen = chooseGpus(asked, room);
        assert.deepEqual(chosen.ok ? chosen.value : null, expected);
        if (chosen.ok) {
          room.hold(slicesOf(asked, chosen.value));
          held.push({ asked, members: chosen.value });
        }
        const [gone] = held.splice(leaves, 1);
        if (gone !== undefined) room.release(gone.asked.instance, gone.members);
      }
    }),
    { numRuns: 400 },
  );
});
