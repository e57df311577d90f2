import type { GpuLostMode } from "../api/fault.ts";
import type { Level } from "../api/hot-standby-config.ts";
import { GB } from "../base/bytes.ts";
import type { GpuLossPlace, ScenarioEvent, ScenarioNode, Setting } from "./scenario.ts";
import type { WordCursor } from "./word-cursor.ts";

/** What the lines above have declared. */
export interface Declared {
  readonly nodes: readonly ScenarioNode[];
  readonly services: readonly string[];
}

const FOR = { minMs: 1, maxMs: 600_000 };
const TARGET = /^(.+)-(?:hot|warm|cold)-(?:[1-9]\d?|\*)$/;
const FAULT_VERBS = [
  "hang",
  "stall",
  "truncate",
  "reset",
  "slow",
  "errors",
  "garbage-wake",
  "failed-wake",
  "slow-wake",
  "ignores-share",
  "grabs-memory",
] as const;
const VERBS = [
  "kill",
  "stop",
  "continue",
  "lose",
  "xid",
  "slow-teardown",
  "start",
  "restart",
  "cut",
  "failover",
  "failback",
  "resume",
  "set",
  "surge",
  "bad-requests",
  "hang-ups",
  ...FAULT_VERBS,
] as const;

/** The words behind `at 5s`. Worthless when the cursor holds an error. */
export function parseScenarioEvent(cursor: WordCursor, declared: Declared): ScenarioEvent {
  const verb = cursor.choice("what happens", VERBS);
  if (isFaultVerb(verb)) return engineFault(cursor, declared, verb);
  switch (verb) {
    case "kill":
      if (cursor.takes("control-plane")) return { kind: "kill-control-plane" };
      if (cursor.takes("gateway")) return { kind: "kill-gateway" };
      return { kind: verb, targets: targetsOf(cursor, declared) };
    case "stop":
    case "continue":
      return { kind: verb, targets: targetsOf(cursor, declared) };
    case "start":
      cursor.literal("control-plane");
      return { kind: "start-control-plane" };
    case "restart":
      cursor.literal("control-plane");
      return { kind: "restart-control-plane" };
    case "cut":
      cursor.literal("link");
      return { kind: "cut-link", forMs: forMs(cursor) };
    case "lose":
      return { kind: verb, place: lossPlace(cursor, declared), mode: lostMode(cursor), forMs: forMs(cursor) };
    case "xid":
      return { kind: verb, mode: APPLICATION_MODES[cursor.choice("an Xid", ["13", "31", "94"])], targets: targetsOf(cursor, declared) };
    case "slow-teardown": {
      const place = lossPlace(cursor, declared);
      cursor.literal("takes");
      return { kind: verb, place, teardownMs: cursor.durationMs("how long a teardown takes", FOR), forMs: forMs(cursor) };
    }
    case "failover": {
      const service = cursor.known("a service", declared.services);
      return { kind: verb, service, to: cursor.takes("to") ? cursor.choice<Level>("a rung", ["hot", "warm", "cold"]) : null };
    }
    case "failback":
    case "resume":
      return { kind: verb, service: cursor.known("a service", declared.services) };
    case "set":
      return { kind: "set", service: cursor.known("a service", declared.services), setting: settingOf(cursor) };
    case "surge":
      return {
        kind: verb,
        service: cursor.known("a service", declared.services),
        perSecond: cursor.count("a rate", { min: 1, max: 1_000, suffix: "/s" }),
        forMs: forMs(cursor),
      };
    case "bad-requests":
    case "hang-ups":
      return { kind: verb, service: cursor.known("a service", declared.services), count: cursor.count("a count", { min: 1, max: 1_000 }) };
  }
}

type FaultVerb = (typeof FAULT_VERBS)[number];

const isFaultVerb = (verb: string): verb is FaultVerb => FAULT_VERBS.some((one) => one === verb);

function engineFault(cursor: WordCursor, declared: Declared, verb: FaultVerb): ScenarioEvent {
  const targets = targetsOf(cursor, declared);
  const fault = faultOf(cursor, verb);
  return { kind: "fault", targets, fault, forMs: forMs(cursor) };
}

function faultOf(cursor: WordCursor, verb: FaultVerb): Extract<ScenarioEvent, { kind: "fault" }>["fault"] {
  switch (verb) {
    case "hang":
    case "failed-wake":
    case "ignores-share":
      return { kind: verb };
    case "grabs-memory":
      return { kind: verb, bytes: cursor.count("an amount", { min: 1, max: 1_000, suffix: "GB" }) * GB };
    case "garbage-wake":
      return { kind: "garbage-after-wake" };
    case "stall":
    case "truncate":
    case "reset":
      cursor.literal("after");
      return { kind: verb, afterTokens: cursor.count("a count of tokens", { min: 0, max: 10_000 }) };
    case "slow":
    case "slow-wake":
      return { kind: verb, factor: cursor.count("a factor", { min: 1, max: 1_000, prefix: "x" }) };
    case "errors":
      return { kind: "error-ratio", ratio: cursor.count("a share of requests", { min: 0, max: 100, suffix: "%" }) / 100 };
  }
}

function forMs(cursor: WordCursor): number {
  cursor.literal("for");
  return cursor.durationMs("how long", FOR);
}

/** At least one. */
function targetsOf(cursor: WordCursor, { services }: Declared): readonly string[] {
  const targets: string[] = [];
  do {
    const [target, service = ""] = cursor.matching(
      "an instance",
      TARGET,
      "Write an instance such as gold-hot-1, or all of a level: gold-hot-*.",
    );
    if (cursor.error === null && !services.includes(service))
      cursor.fail(`No service ${service} is used above.`, `It is one of ${services.join(", ")}.`);
    targets.push(target);
  } while (TARGET.test(cursor.next ?? ""));
  return targets;
}

function lossPlace(cursor: WordCursor, { nodes }: Declared): GpuLossPlace {
  const names = nodes.map(({ name }) => name);
  const kind = cursor.choice("what is lost", ["gpu", "node", "zone"]);
  switch (kind) {
    case "node":
      return { kind, node: cursor.known("a node", names) };
    case "zone":
      return { kind, zone: cursor.known("a zone", [...new Set(nodes.map(({ zone }) => zone))]) };
    case "gpu": {
      const gpus = nodes.flatMap(({ name, gpuCount }) => Array.from({ length: gpuCount }, (_, gpu) => `${name}/${gpu}`));
      const [node = "", gpu = "0"] = cursor.known("a GPU", gpus).split("/");
      return { kind, node, gpu: Number(gpu) };
    }
  }
}

const APPLICATION_MODES = { "13": "graphics_exception", "31": "mmu_fault", "94": "ecc_uncorrectable_contained" } as const;

const lostMode = (cursor: WordCursor): GpuLostMode =>
  cursor.takes("as") ? cursor.choice<GpuLostMode>("how it is lost", ["fallen_off_bus", "lost", "ecc_uncorrectable"]) : "fallen_off_bus";

function settingOf(cursor: WordCursor): Setting {
  const kind = cursor.choice("a setting", ["revision", "budget", "soak"]);
  switch (kind) {
    case "revision":
      return { kind, revision: cursor.name("a revision") };
    case "budget":
      return { kind, budget: cursor.count("a count of moves", { min: 0, max: 10_000 }) };
    case "soak":
      return { kind, soakMs: cursor.durationMs("a soak", { minMs: 100, maxMs: 600_000 }) };
  }
}
