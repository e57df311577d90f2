import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GB } from "../base/bytes.ts";
import { instanceName, nodeName, serviceName, tenantId, type InstanceName } from "../base/ids.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import { matchesNode } from "../api/match-node.ts";
import { EMPTY_LAYOUT, memorySlicesLeft, roomOf } from "../api/mig-layout.ts";
import { SPOT_POOL_LABEL, spotPoolOf } from "../api/spot-pool.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { createFleetRoom, type FleetRoom, type GpuRoom } from "./fleet-room.ts";
import { MigMixValue } from "./mig-mix-value.ts";
import { memberOf, offerAt, type GpuOffer } from "./gpu-offer.ts";
import { slicesOf } from "./place-instances.ts";
import { placeKey, type Fleet, type GpuPlace, type HeldSlice, type InstanceRequest, type PlacedMember } from "./placement-request.ts";

// What the index must give, by looking at every GPU of every node each time.

function scan(request: InstanceRequest, at: Scanned): readonly PlacedMember[] | null {
  const { room } = at;
  const nodes = room.nodes.filter((node) => matchesNode(node, request));
  const able = nodes.filter(
    (node) => offersAt(request, node, room).length >= request.memberBytes.length && room.freeHostBytes(node) >= request.hostBytes,
  );
  const [best] = able.map((node) => ({ node, rank: rankAt(request, node, at) })).toSorted(byRank);
  if (best === undefined) return null;
  return bestOffers(request, best.node, at).map((offer, index) => memberOf(offer, request.memberBytes[index] ?? 0));
}

const offersAt = (request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly GpuOffer[] =>
  room.gpusOf(node.name).flatMap((gpu) => (isOpen(request, gpu, room) ? (offerAt(request, gpu) ?? []) : []));

function isOpen(request: InstanceRequest, gpu: GpuRoom, room: FleetRoom): boolean {
  if (gpu.isTaken || room.isClosed(gpu) || room.isQuarantined(gpu, request.service)) return false;
  return request.isExclusive ? gpu.holderCount === 0 : !gpu.services.has(request.service);
}

function bestOffers(request: InstanceRequest, node: GpuNode, at: Scanned): readonly GpuOffer[] {
  const keyOf = (offer: GpuOffer) => {
    const { gpu, wasteMilli, tightness } = offer;
    return [strandedBy(request, { node, offers: [offer] }, at), gpu.holderCount === 0 ? 1 : 0, wasteMilli, tightness, gpu.gpu];
  };
  return offersAt(request, node, at.room)
    .toSorted((left, right) => compare(keyOf(left), keyOf(right)))
    .slice(0, request.memberBytes.length);
}

function rankAt(request: InstanceRequest, node: GpuNode, at: Scanned): readonly number[] {
  const { room } = at;
  const offers = bestOffers(request, node, at);
  const [first] = offers;
  const companions = room
    .slicesOf(request.service)
    .filter(({ instance, level }) => instance !== request.instance && (level === "hot" || (request.level === "hot" && level === "warm")));
  const countOf = (near: (slice: HeldSlice) => boolean): number => new Set(companions.filter(near).map(({ instance }) => instance)).size;
  return [
    countOf((slice) => slice.node === node.name),
    request.level === "hot" && node.capacityType === "spot" ? 1 : 0,
    countOf((slice) => poolAt(node.name, room) !== null && poolAt(slice.node, room) === poolAt(node.name, room)),
    countOf((slice) => node.zone !== null && room.nodeOf(slice.node)?.zone === node.zone),
    strandedBy(request, { node, offers }, at),
    at.fleet.wanted === undefined ? 0 : usedPercentOfZone(node, at.fleet),
    request.isExclusive ? 0 : first?.gpu.holderCount === 0 ? 1 : 0,
    first?.wasteMilli ?? 0,
    first?.tightness ?? 0,
    room.gpusOf(node.name).filter((gpu) => gpu.holderCount === 0).length,
  ];
}

/** Hundredths of a GPU, by making the node anew with the instance on it, and asking of each GPU of it what each request could do with it. */
function strandedBy(
  request: InstanceRequest,
  { node, offers }: { readonly node: GpuNode; readonly offers: readonly GpuOffer[] },
  { fleet }: Scanned,
): number {
  const { wanted } = fleet;
  if (wanted === undefined) return 0;
  // Of a service of its own, so that it is in the way of nobody but by its bytes.
  const members = offers.map((offer) => memberOf(offer, Math.max(...request.memberBytes)));
  const added = slicesOf({ ...request, service: serviceName("newcomer") }, members);
  const weightOf = ({ memberBytes }: InstanceRequest): number => memberBytes.length ** 2;
  const weight = wanted.reduce((sum, one) => sum + weightOf(one), 0);
  const unusableWith = (more: readonly HeldSlice[]): number => {
    const held = [...fleet.held, ...more].filter((slice) => slice.node === node.name);
    const gpus = createFleetRoom({ nodes: [node], held, lost: fleet.lost, quarantined: [] }).gpusOf(node.name);
    const gangs = wanted.filter(({ memberBytes }) => memberBytes.length > 1);
    return (
      gangs.reduce((sum, one) => sum + weightOf(one) * unusableByGang(one, node, gpus), 0) +
      gpus.reduce((sum, gpu) => sum + unusableBySingles(wanted, node, gpu), 0)
    );
  };
  return Math.round((unusableWith(added) - unusableWith([])) / (10 * weight));
}

const idleOf = ({ isTaken, cut, freeBytes, memoryBytes }: GpuRoom): number => {
  if (isTaken) return 0;
  if (cut?.mode === "mig") return 125 * memorySlicesLeft(roomOf(cut.layout));
  return Math.max(0, Math.floor((freeBytes * 1_000) / memoryBytes));
};

const couldUse = (one: InstanceRequest, node: GpuNode, gpu: GpuRoom): boolean =>
  matchesNode(node, one) &&
  (one.capBytes === null || Math.max(...one.memberBytes) <= one.capBytes) &&
  offerAt(one, { ...gpu, tenants: new Set() }) !== null;

function unusableByGang(one: InstanceRequest, node: GpuNode, gpus: readonly GpuRoom[]): number {
  const usable = gpus.filter((gpu) => gpu.cut?.mode !== "mig" && couldUse(one, node, gpu));
  const idle = gpus.reduce((sum, gpu) => sum + idleOf(gpu), 0);
  return usable.length < one.memberBytes.length ? idle : idle - usable.reduce((sum, gpu) => sum + idleOf(gpu), 0);
}

/** Not divided by the sum of the weights. */
function unusableBySingles(wanted: readonly InstanceRequest[], node: GpuNode, gpu: GpuRoom): number {
  const singles = wanted.filter(({ memberBytes }) => memberBytes.length === 1);
  const idle = idleOf(gpu);
  if (gpu.cut?.mode !== "mig") return idle * singles.filter((one) => !couldUse(one, node, gpu)).length;
  const emptied = { ...gpu, freeBytes: gpu.memoryBytes, cut: { mode: "mig" as const, layout: EMPTY_LAYOUT } };
  const profiles = singles.flatMap((one) => {
    const offer = couldUse(one, node, emptied) ? offerAt(one, emptied) : null;
    return offer !== null && "placement" in offer.share ? [offer.share.placement.profile] : [];
  });
  const shares = [...Map.groupBy(profiles, (profile) => profile)].map(([profile, all]) => [profile, all.length / profiles.length] as const);
  const usable = Math.min(
    idle,
    Math.round((new MigMixValue(shares, { goesOn: 0.3, unit: "memorySlices" }).valueOf(roomOf(gpu.cut.layout)) * 1_000) / 8),
  );
  return idle * (singles.length - profiles.length) + profiles.length * (idle - usable);
}

function usedPercentOfZone({ zone }: GpuNode, fleet: Fleet): number {
  const isLost = (place: GpuPlace): boolean => fleet.lost.some((lost) => placeKey(lost) === placeKey(place));
  let bytes = 0;
  let usedBytes = 0;
  for (const node of fleet.nodes.filter((other) => other.zone === zone))
    for (const { index, memoryBytes } of node.gpus) {
      const place = { node: node.name, gpu: index };
      if (isLost(place)) continue;
      bytes += memoryBytes;
      for (const slice of fleet.held.filter((held) => placeKey(held) === placeKey(place)))
        usedBytes += slice.mode === "exclusive" ? memoryBytes : slice.memoryBytes;
    }
  return bytes === 0 ? 0 : Math.round((100 * usedBytes) / bytes);
}

interface Scanned {
  /** As it is now, made for this one look. */
  readonly room: FleetRoom;
  readonly fleet: Fleet;
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
      unsafeToolkit: fc.constantFrom(null, null, "1.17.4"),
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
      tenant: fc.constantFrom(tenantId("t1"), tenantId("t2")),
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
      tier: "gold",
      priority: 0,
      mayBeOversold: false,
    }));

const strangerAt = (at: GpuPlace, instance: InstanceName, memoryBytes: number): HeldSlice => ({
  ...at,
  instance,
  memoryBytes,
  tenant: null,
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
const stepsOf = (asked: (index: number) => fc.Arbitrary<InstanceRequest>) =>
  fc
    .integer({ min: 1, max: 24 })
    .chain((count) =>
      fc.tuple(
        ...Array.from({ length: count }, (_, index) => fc.record({ asked: asked(index), leaves: fc.nat(40), closed: fc.option(place) })),
      ),
    );

/** Few shapes and two tenants, so that many ask alike. */
const alike = (index: number): fc.Arbitrary<InstanceRequest> =>
  fc
    .record({ tenant: fc.constantFrom("t1", "t2"), memberBytes: fc.constantFrom([10 * GB], [20 * GB]), of: request(index) })
    .map(({ tenant, memberBytes, of }) => ({
      ...of,
      memberBytes,
      tenant: tenantId(tenant),
      service: serviceName(`s${index % 12}`),
      level: "hot",
      isolation: "none",
      isExclusive: false,
      capBytes: null,
      hostBytes: 0,
      capacityType: null,
      nodeSelector: {},
      computePercent: 50,
    }));

/** Of another tenant, or of nobody known, on one of its GPUs where tenants must not meet. */
function metWhereUnsafe(
  { tenant }: InstanceRequest,
  members: readonly PlacedMember[],
  { nodes, held }: Pick<Fleet, "nodes" | "held">,
): readonly HeldSlice[] {
  const unsafe = new Set(nodes.filter(({ unsafeToolkit }) => unsafeToolkit !== null).map(({ name }) => name));
  const isThere = (slice: HeldSlice): boolean => members.some(({ node, gpu }) => node === slice.node && gpu === slice.gpu);
  return held.filter((slice) => unsafe.has(slice.node) && isThere(slice) && slice.tenant !== tenant);
}

for (const { name, asked } of [
  {
    name: "whatever came and went before, the index chooses what a scan of every node chooses, and refuses where that finds none",
    asked: request,
  },
  { name: "those who ask alike get of the index what a scan gives each tenant, and meet no other where they must not", asked: alike },
]) {
  test(name, () => {
    fc.assert(
      fc.property(fleetOf, stepsOf(asked), fc.boolean(), (fleet, moves, isKnown) =>
        checkMoves({ ...fleet, wanted: isKnown ? moves.map((move) => move.asked) : undefined }, moves),
      ),
      { numRuns: 400 },
    );
  });
}

const closedOf = (closed: GpuPlace | null): readonly GpuPlace[] => (closed === null ? [] : [closed]);

function checkMoves(
  fleet: Fleet,
  moves: readonly { readonly asked: InstanceRequest; readonly leaves: number; readonly closed: GpuPlace | null }[],
): void {
  const room = createFleetRoom(fleet);
  const held: { readonly asked: InstanceRequest; readonly members: readonly PlacedMember[] }[] = [];
  for (const { asked, leaves, closed } of moves) {
    room.close(closedOf(closed));
    const isOverCap = asked.capBytes !== null && Math.max(...asked.memberBytes) > asked.capBytes;
    const now = [...fleet.held, ...held.flatMap((one) => slicesOf(one.asked, one.members))];
    const scanned = { ...fleet, held: now, closed: closedOf(closed) };
    const expected = isOverCap ? null : scan(asked, { room: createFleetRoom(scanned), fleet: scanned });
    const chosen = chooseGpus(asked, room);
    assert.deepEqual(chosen.ok ? chosen.value : null, expected);
    if (chosen.ok) {
      assert.deepEqual(metWhereUnsafe(asked, chosen.value, { nodes: fleet.nodes, held: now }), []);
      room.hold(slicesOf(asked, chosen.value));
      held.push({ asked, members: chosen.value });
    }
    const [gone] = held.splice(leaves, 1);
    if (gone !== undefined) room.release(gone.asked.instance, gone.members);
  }
}
