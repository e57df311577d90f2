import { stringify } from "yaml";
import type { JsonObject } from "../base/json.ts";
import type { ColdSpec, HotSpec, HotStandbyConfig, LevelSpec, WarmSpec } from "./hot-standby-config.ts";
import { formatQuantity } from "./parse-quantity.ts";
import { RESERVATION_KEY, RESERVATION_NAME, RESERVATION_NAMESPACE } from "./reservation.ts";

/**
 * The ConfigMap that says what the configs hold, as Kubernetes takes it: one entry for each service, under the service's own name.
 * Applied beside the same configs it adds nothing and contradicts nothing.
 */
export function renderReservation(configs: readonly HotStandbyConfig[]): JsonObject {
  const tenants = configs.toSorted((left, right) => (left.name < right.name ? -1 : 1)).map(entryOf);
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: RESERVATION_NAME, namespace: RESERVATION_NAMESPACE },
    data: { [RESERVATION_KEY]: stringify({ tenants }) },
  };
}

function entryOf({ name, hot, warm, cold }: HotStandbyConfig): JsonObject {
  return {
    name,
    hotStandby: hotOf(hot),
    ...(warm === null ? {} : { warmStandby: warmOf(warm) }),
    // A cold level without bytes holds nothing: it is no reservation.
    ...(cold === null || cold.memoryReservedBytes === 0 ? {} : { coldStandby: coldOf(cold) }),
  };
}

const hotOf = (hot: HotSpec): JsonObject => ({
  ...levelOf(hot),
  ...(hot.minGpuCount === hot.gpuCount ? {} : { minGpuCount: hot.minGpuCount }),
  ...(hot.maxGpuCount === hot.gpuCount ? {} : { maxGpuCount: hot.maxGpuCount }),
});
const warmOf = (warm: WarmSpec): JsonObject => ({ ...levelOf(warm), rest: warm.rest, lend: warm.lend });
const coldOf = (cold: ColdSpec): JsonObject => ({ ...levelOf(cold), imageCache: cold.isImageCached });

const levelOf = (level: LevelSpec | ColdSpec): JsonObject => ({
  gpuCount: level.gpuCount,
  memoryReserved: formatQuantity(level.memoryReservedBytes),
  gpuMemoryShare: level.isShared,
  ...(level.capacityType === null ? {} : { capacityType: level.capacityType }),
  ...(Object.keys(level.nodeSelector).length === 0 ? {} : { nodeSelector: level.nodeSelector }),
});
