import { isGpuApplicationMode, isGpuLostMode, type GpuApplicationMode, type GpuLostMode } from "../../api/fault.ts";
import type { GpuNode } from "../../api/gpu-node.ts";
import type { GpuPartition } from "../../api/gpu-partition.ts";
import { nodeName, type NodeName } from "../../base/ids.ts";
import { isJsonObject, type JsonObject } from "../../base/json.ts";
import type { Result } from "../../base/result.ts";
import type { AccountError } from "../../ports/gpu-account.ts";
import type { GpuDriverError, ObservedGpu } from "../../ports/gpu-driver.ts";
import type { AccountState, LostGpu } from "./account-state.ts";
import { parseComputeQuestion, type ComputeQuestion } from "./parse-compute-message.ts";
import type { GpuPlace } from "./gpu-losses.ts";

// Both ends of the socket are of one build, and only the state's owner can open it: fields that decide are checked here,
// whole inventories, partitions and answers are taken at their word.

/** What is asked of the process that keeps the account. An engine says `open` first; its connection is its life. */
export type AccountQuestion =
  | ComputeQuestion
  | { readonly ask: "open"; readonly instance: string; readonly pid: number; readonly isPromised?: boolean }
  | {
      readonly ask: "hold-gpu";
      readonly node: NodeName;
      readonly gpu: number;
      readonly bytes: number;
      readonly isParked?: boolean;
      readonly isGrab?: boolean;
    }
  | { readonly ask: "hold-host"; readonly node: NodeName; readonly bytes: number }
  | { readonly ask: "transfer"; readonly node: NodeName; readonly link: "hostToGpu" | "disk" | "network"; readonly bytes: number }
  /** Breaks off the transfer with this id. */
  | { readonly ask: "abort"; readonly of: number }
  /** Answered with GPU_LOST or GPU_FAULT when one of them is of no more use to the asker; until then it waits. */
  | { readonly ask: "watch-loss"; readonly gpus: readonly GpuPlace[] }
  | { readonly ask: "lose-gpus"; readonly node: NodeName; readonly gpu: number | null; readonly mode: GpuLostMode; readonly forMs: number }
  | {
      readonly ask: "fail-application";
      readonly node: NodeName;
      readonly gpu: number;
      readonly mode: GpuApplicationMode;
      readonly instance: string;
    }
  | {
      readonly ask: "slow-teardown";
      readonly node: NodeName;
      readonly gpu: number | null;
      readonly teardownMs: number;
      readonly forMs: number;
    }
  | { readonly ask: "restore-gpus"; readonly node: NodeName; readonly gpu: number | null }
  | { readonly ask: "list-lost" }
  | { readonly ask: "observe"; readonly only?: readonly GpuPlace[] }
  | { readonly ask: "inventory"; readonly nodes: readonly GpuNode[] }
  | { readonly ask: "partition"; readonly partition: GpuPartition }
  | { readonly ask: "unpartition"; readonly partition: Pick<GpuPartition, "name" | "node" | "gpu" | "instance"> };

export interface AccountMessage {
  readonly id: number;
  readonly question: AccountQuestion;
}
export type AccountAnswer = Result<null, AccountError | GpuDriverError>;
export type LostAnswer = Result<readonly LostGpu[], GpuDriverError>;
export type ObserveAnswer = Result<readonly ObservedGpu[], GpuDriverError>;

/** @returns null when it is no question. */
export function parseAccountMessage(raw: unknown): AccountMessage | null {
  if (!isJsonObject(raw) || typeof raw["id"] !== "number") return null;
  const { id, question } = raw;
  if (question === undefined || !isJsonObject(question)) return null;
  const parsed = parseQuestion(question);
  return parsed === null ? null : { id, question: parsed };
}

function parseQuestion(raw: JsonObject): AccountQuestion | null {
  const { ask, node, gpu, bytes, link, nodes, partition } = raw;
  const isSize = typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0;
  if (typeof ask !== "string") return null;
  switch (ask) {
    case "open":
      return typeof raw["instance"] === "string" && typeof raw["pid"] === "number"
        ? { ask, instance: raw["instance"], pid: raw["pid"], isPromised: raw["isPromised"] === true }
        : null;
    case "hold-gpu":
      return typeof node === "string" && typeof gpu === "number" && isSize
        ? { ask, node: nodeName(node), gpu, bytes, isParked: raw["isParked"] === true, isGrab: raw["isGrab"] === true }
        : null;
    case "hold-host":
      return typeof node === "string" && isSize ? { ask, node: nodeName(node), bytes } : null;
    case "transfer":
      if (link !== "hostToGpu" && link !== "disk" && link !== "network") return null;
      return typeof node === "string" && isSize ? { ask, node: nodeName(node), link, bytes } : null;
    case "watch-loss": {
      const gpus = parsePlaces(raw["gpus"]);
      return gpus === null ? null : { ask, gpus };
    }
    case "lose-gpus":
    case "restore-gpus":
    case "list-lost":
      return parseLossQuestion(ask, raw);
    case "watch-terms":
    case "tell-use":
      return parseComputeQuestion(ask, raw);
    case "fail-application":
    case "slow-teardown":
      return parseFaultQuestion(ask, raw);
    case "abort":
      return typeof raw["of"] === "number" ? { ask, of: raw["of"] } : null;
    case "observe": {
      if (raw["only"] === undefined) return { ask };
      const only = parsePlaces(raw["only"]);
      return only === null ? null : { ask, only };
    }
    case "inventory":
      return Array.isArray(nodes) ? { ask, nodes: nodes as unknown as readonly GpuNode[] } : null;
    case "partition":
    case "unpartition":
      return partition !== undefined && isJsonObject(partition) ? { ask, partition: partition as unknown as GpuPartition } : null;
    default:
      return null;
  }
}

function parsePlaces(raw: unknown): readonly GpuPlace[] | null {
  if (!Array.isArray(raw)) return null;
  const places = raw.flatMap((one: unknown): readonly GpuPlace[] => {
    if (!isJsonObject(one)) return [];
    const { node, gpu } = one;
    return typeof node === "string" && typeof gpu === "number" ? [{ node: nodeName(node), gpu }] : [];
  });
  return places.length === raw.length ? places : null;
}

function parseLossQuestion(ask: "lose-gpus" | "restore-gpus" | "list-lost", raw: JsonObject): AccountQuestion | null {
  const { node, gpu, forMs } = raw;
  if (ask === "list-lost") return { ask };
  if (typeof node !== "string" || (typeof gpu !== "number" && gpu !== null)) return null;
  const at = { node: nodeName(node), gpu };
  if (ask === "restore-gpus") return { ask, ...at };
  const { mode } = raw;
  return typeof forMs === "number" && forMs > 0 && isGpuLostMode(mode) ? { ask, ...at, mode, forMs } : null;
}

function parseFaultQuestion(ask: "fail-application" | "slow-teardown", raw: JsonObject): AccountQuestion | null {
  const { node, gpu, mode, instance, teardownMs, forMs } = raw;
  if (typeof node !== "string" || (typeof gpu !== "number" && gpu !== null)) return null;
  const at = { node: nodeName(node), gpu };
  if (ask === "slow-teardown") {
    const areTimes = typeof teardownMs === "number" && teardownMs >= 0 && typeof forMs === "number" && forMs > 0;
    return areTimes ? { ask, ...at, teardownMs, forMs } : null;
  }
  if (at.gpu === null || !isGpuApplicationMode(mode) || typeof instance !== "string") return null;
  return { ask, node: at.node, gpu: at.gpu, mode, instance };
}

/** @returns null when it is no answer. */
export function parseAccountAnswer(raw: unknown): { readonly id: number; readonly result: AccountAnswer } | null {
  if (!isJsonObject(raw) || typeof raw["id"] !== "number") return null;
  const { id, result } = raw;
  if (result === undefined || !isJsonObject(result) || typeof result["ok"] !== "boolean") return null;
  return { id, result: result as unknown as AccountAnswer };
}

/** The answer to `observe`, which alone carries a value. */
export const parseObserveAnswer = (result: AccountAnswer): ObserveAnswer => result as unknown as ObserveAnswer;

/** The answer to `list-lost`. */
export const parseLostAnswer = (result: AccountAnswer): LostAnswer => result as unknown as LostAnswer;

/** What an earlier process of the same state wrote; null = nothing that can be used. */
export function parseAccountState(text: string): AccountState | null {
  try {
    const raw: unknown = JSON.parse(text);
    if (!isJsonObject(raw)) return null;
    const { nodes, partitions, holders, lost = [], slow = [], dirty = [] } = raw;
    const areLists = [nodes, partitions, holders, lost, slow, dirty].every((list) => Array.isArray(list));
    return areLists ? withDefaults({ ...raw, lost, slow, dirty } as unknown as AccountState) : null;
  } catch {
    return null;
  }
}

/** An account of an earlier version wrote less: it knew of one way to lose a GPU, and not whose bytes are. */
const withDefaults = (state: AccountState): AccountState => ({
  ...state,
  partitions: state.partitions.map((partition) => ({ ...partition, mig: partition.mig ?? null, leaving: partition.leaving ?? null })),
  lost: state.lost.map((lost) => ({ ...lost, mode: lost.mode ?? "fallen_off_bus" })),
  holders: state.holders.map((held) => ({
    ...held,
    freeAtWallMs: held.freeAtWallMs ?? null,
    gpus: held.gpus.map((hold) => ({ ...hold, isParked: hold.isParked ?? false, tenant: hold.tenant ?? null, mig: hold.mig ?? null })),
  })),
});
