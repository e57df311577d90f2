import { GiB } from "../../src/base/bytes.ts";
import { PartitionIndex, type PartitionAsk, type PartitionGpu } from "../../src/placement/partition-index.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import { seeded } from "../failover/seeded.ts";
import { percentile } from "../failover/statistics.ts";
import type { PlacementRow } from "./rows.ts";

const COUNT = 10_000;
const ZONES = 4;
const GPUS_PER_NODE = 8;
const ROUNDS = 21;
const BATCH_MS_MAX = 20;

/** Ten thousand partitions, one after the other, on a free fleet of as many GPUs; median of rounds. */
export function partitionRows(): readonly PlacementRow[] {
  const gpus = Array.from({ length: COUNT }, (_, index): PartitionGpu => {
    const node = Math.floor(index / GPUS_PER_NODE);
    return { node: `node-${node}`, zone: `zone-${node % ZONES}`, memoryBytes: 80 * GiB };
  });
  const asks = makeAsks();
  const tookMs: number[] = [];
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const index = new PartitionIndex(gpus);
    const startedMs = monotonicMs();
    refused = asks.reduce((count, ask) => (index.place(ask) === null ? count + 1 : count), 0);
    tookMs.push(monotonicMs() - startedMs);
  }
  const value = percentile(tookMs, 0.5);
  return [
    {
      name: "10,000 partitions on 10,000 GPUs, zone, exclusivity and anti-affinity",
      value,
      unit: "ms",
      must: `<= ${BATCH_MS_MAX}`,
      pass: value !== null && value <= BATCH_MS_MAX && refused === 0,
    },
  ];
}

/** A service has up to ten; a third is bound to a zone, a fifth alone on its GPU; apart by GPU, node, and, where four do, zone. */
function makeAsks(): readonly PartitionAsk[] {
  const random = seeded(1);
  const asks: PartitionAsk[] = [];
  for (let service = 0; asks.length < COUNT; service++) {
    const size = 1 + Math.floor(random() * 10);
    const isExclusive = random() < 0.2;
    const zone = random() < 1 / 3 ? `zone-${Math.floor(random() * ZONES)}` : null;
    const apart = size <= ZONES && zone === null ? "zone" : random() < 0.5 ? "node" : "gpu";
    const memoryBytes = (5 + Math.floor(random() * 36)) * GiB;
    for (let member = 0; member < size && asks.length < COUNT; member++)
      asks.push({ service: `service-${service}`, memoryBytes, isExclusive, zone, apart });
  }
  return asks;
}
