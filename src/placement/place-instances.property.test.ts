import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GB } from "../base/bytes.ts";
import { instanceName, nodeName, serviceName, tenantId } from "../base/ids.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { explainCandidates } from "./explain-candidates.ts";
import { createFleetRoom } from "./fleet-room.ts";
import { placeInstances, slicesOf } from "./place-instances.ts";
import { placeKey, type Fleet, type HeldSlice, type InstanceRequest } from "./placement-request.ts";
import { splitBytes } from "./requests-of.ts";

const gpuNode = (index: number) =>
  fc
    .record({
      zone: fc.constantFrom(null, "z1", "z2"),
      capacityType: fc.constantFrom("on-demand" as const, "spot" as const),
      unsafeToolkit: fc.constantFrom(null, null, "1.17.4"),
      hostMemoryBytes: fc.integer({ min: 0, max: 100 }).map((gigabytes) => gigabytes * GB),
      gpuBytes: fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 4 }),
    })
    .map(({ gpuBytes, ...rest }): GpuNode => {
      const gpus = gpuBytes.map((gigabytes, gpu) => ({
        index: gpu,
        model: "X",
        memoryBytes: gigabytes * GB,
        modes: ["exclusive", "vgpu", "mps"] as const,
      }));
      return { ...rest, name: nodeName(`n${index}`), labels: {}, links: { hostToGpu: 1, disk: 1, network: 1 }, gpus };
    });

const request = (index: number) =>
  fc
    .record({
      service: fc.constantFrom("s1", "s2", "s3").map(serviceName),
      level: fc.constantFrom("hot" as const, "warm" as const, "cold" as const),
      tier: fc.constantFrom("platinum" as const, "gold" as const, "silver" as const),
      isolation: fc.constantFrom("none" as const, "medium" as const, "strong" as const),
      priority: fc.integer({ min: -1, max: 1 }),
      isExclusive: fc.boolean(),
      memberCount: fc.integer({ min: 1, max: 2 }),
      levelBytes: fc.integer({ min: 1, max: 100 * GB }),
      hostBytes: fc.integer({ min: 0, max: 40 * GB }),
      capacityType: fc.constantFrom(null, null, "spot" as const),
    })
    .map(({ memberCount, levelBytes, ...rest }): InstanceRequest => ({
      ...rest,
      instance: instanceName(`i${index}`),
      tenant: tenantId("t"),
      mayBeOversold: false,
      capBytes: null,
      computePercent: 50,
      memberBytes: splitBytes(levelBytes, memberCount),
      nodeSelector: {},
    }));

const world = fc.record({
  nodes: fc.integer({ min: 0, max: 4 }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => gpuNode(index)))),
  requests: fc.integer({ min: 1, max: 10 }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => request(index)))),
});

const empty = (nodes: readonly GpuNode[]): Fleet => ({ nodes, held: [], lost: [], quarantined: [] });
const heldAfter = (requests: readonly InstanceRequest[], nodes: readonly GpuNode[]): readonly HeldSlice[] =>
  placeInstances(requests, empty(nodes)).placed.flatMap(({ request: of, members }) => slicesOf(of, members));

test("placed slices never exceed a GPU or a host, and an exclusive GPU has one holder", () => {
  fc.assert(
    fc.property(world, ({ nodes, requests }) => {
      const held = heldAfter(requests, nodes);
      for (const [key, slices] of Map.groupBy(held, placeKey)) {
        const gpu = nodes
          .flatMap((of) => of.gpus.map((each) => ({ key: `${of.name}/${each.index}`, ...each })))
          .find((each) => each.key === key);
        assert.ok(slices.reduce((total, slice) => total + slice.memoryBytes, 0) <= (gpu?.memoryBytes ?? 0));
        if (slices.some((slice) => slice.mode === "exclusive")) assert.equal(slices.length, 1);
        assert.equal(new Set(slices.map((slice) => slice.service)).size, slices.length, "two of one service share a GPU");
      }
      for (const of of nodes) {
        const sleepers = new Map(held.filter((slice) => slice.node === of.name).map((slice) => [slice.instance, slice.hostBytes]));
        assert.ok([...sleepers.values()].reduce((total, bytes) => total + bytes, 0) <= of.hostMemoryBytes);
      }
    }),
  );
});

test("every request is either placed on one node with all its bytes or refused", () => {
  fc.assert(
    fc.property(world, ({ nodes, requests }) => {
      const { placed, refused } = placeInstances(requests, empty(nodes));
      assert.equal(placed.length + refused.length, requests.length);
      for (const { request: of, members } of placed) {
        assert.equal(members.length, of.memberBytes.length);
        assert.equal(new Set(members.map((place) => place.node)).size, 1);
        assert.equal(new Set(members.map(placeKey)).size, members.length);
      }
    }),
  );
});

test("the order of requests and nodes changes no placement", () => {
  fc.assert(
    fc.property(world, ({ nodes, requests }) => {
      assert.deepEqual(placeInstances(requests.toReversed(), empty(nodes.toReversed())), placeInstances(requests, empty(nodes)));
    }),
  );
});

test("a later request never moves what is held", () => {
  fc.assert(
    fc.property(world, request(99), ({ nodes, requests }, late) => {
      const held = heldAfter(requests, nodes);
      const { placed } = placeInstances([late], { ...empty(nodes), held });
      const all = [...held, ...placed.flatMap(({ request: of, members }) => slicesOf(of, members))];
      for (const slices of Map.groupBy(all, placeKey).values()) {
        if (slices.some((slice) => slice.mode === "exclusive")) assert.equal(slices.length, 1);
      }
    }),
  );
});

test("split bytes are whole and add up", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), fc.integer({ min: 1, max: 64 }), (bytes, partCount) => {
      const parts = splitBytes(bytes, partCount);
      assert.equal(parts.length, partCount);
      assert.ok(parts.every((part) => Number.isSafeInteger(part) && part >= 0));
      assert.equal(
        parts.reduce((total, part) => total + part, 0),
        bytes,
      );
    }),
  );
});

test("candidates: every node is told of once, and the chosen one is what is chosen", () => {
  fc.assert(
    fc.property(world, ({ nodes, requests }) => {
      const room = createFleetRoom(empty(nodes));
      for (const wanted of requests) {
        const told = explainCandidates(wanted, room);
        assert.deepEqual(told.map((one) => one.node).toSorted(), nodes.map(({ name }) => name).toSorted());
        const choice = chooseGpus(wanted, room);
        const chosen = told.filter(({ verdict }) => verdict === "chosen");
        assert.deepEqual(
          chosen.flatMap(({ node: at, gpus }) => gpus.map((gpu) => ({ node: at, gpu }))),
          choice.ok ? choice.value.map(({ node: at, gpu }) => ({ node: at, gpu })) : [],
        );
        assert.equal(
          told.some(({ verdict }) => verdict !== "refused"),
          choice.ok,
        );
        if (choice.ok) room.hold(slicesOf(wanted, choice.value));
      }
    }),
  );
});
