import { formatBytes } from "../base/bytes.ts";
import { formatDuration } from "../base/time.ts";
import type { WarningFinding } from "./finding.ts";
import { ZONE_LABEL } from "./gpu-node.ts";
import type { HotStandbyConfig } from "./hot-standby-config.ts";
import { TIER_TABLE } from "./tier-table.ts";

/** Where an accepted config promises less than its tier says, or hides a risk. Written values win all the same. */
export function checkTier(config: HotStandbyConfig): readonly WarningFinding[] {
  return [
    ...inferred(config),
    ...weakerHot(config),
    ...weakerWarm(config),
    ...weakerCold(config),
    ...weakerPromise(config),
    ...zones(config),
    ...silent(config),
  ];
}

type Text = Pick<WarningFinding, "what" | "why" | "next">;
const warning = (code: WarningFinding["code"], path: string, text: Text): WarningFinding => ({
  code,
  at: path.split("."),
  mark: "value",
  ...text,
});

function weaker(
  { tier }: HotStandbyConfig,
  path: string,
  text: { readonly has: string; readonly row: string; readonly next: string },
): WarningFinding {
  return warning("WEAKER_THAN_TIER", path, {
    what: `${path} is weaker than ${tier}: ${text.has}.`,
    why: `${tier} has ${text.row}.`,
    next: text.next,
  });
}

function inferred({ isTierInferred, tier, failoverPolicy }: HotStandbyConfig): readonly WarningFinding[] {
  if (!isTierInferred) return [];
  return [
    warning("TIER_INFERRED", "spec.tier", {
      what: `spec.tier is not written; the service is ${tier}.`,
      why: `It follows from the promise: rtoTarget ${formatDuration(failoverPolicy.rtoTargetMs)} (up to 5s platinum, up to 15s gold, else silver).`,
      next: `Write tier: ${tier} to keep it when the promise changes.`,
    }),
  ];
}

function weakerHot(config: HotStandbyConfig): readonly WarningFinding[] {
  const row = TIER_TABLE[config.tier].hot;
  const { hot, model } = config;
  const found: WarningFinding[] = [];
  const instanceCount = hot.gpuCount / model.tensorParallelSize;
  if (instanceCount < row.instanceCount) {
    found.push(
      weaker(config, "spec.hotStandby.gpuCount", {
        has: `${instanceCount} hot instance`,
        row: `${row.instanceCount}, so that one can carry the load when the other is lost`,
        next: `Write ${row.instanceCount * model.tensorParallelSize}.`,
      }),
    );
  }
  if (hot.isShared && !row.isShared) {
    found.push(weaker(config, "spec.hotStandby.gpuMemoryShare", { has: "a shared GPU", row: "hot GPUs of its own", next: "Write false." }));
  }
  return found;
}

function weakerWarm(config: HotStandbyConfig): readonly WarningFinding[] {
  const row = TIER_TABLE[config.tier].warm;
  if (row === null) return [];
  const { warm, model } = config;
  if (warm === null) {
    return [
      weaker(config, "spec.warmStandby", {
        has: "no warm instance",
        row: "one, which takes over within seconds",
        next: "Remove gpuCount: 0.",
      }),
    ];
  }
  const found: WarningFinding[] = [];
  if (warm.gpuCount / model.tensorParallelSize < row.instanceCount) {
    found.push(
      weaker(config, "spec.warmStandby.gpuCount", {
        has: "too few instances",
        row: `${row.instanceCount}`,
        next: `Write ${row.instanceCount}.`,
      }),
    );
  }
  if (warm.isShared && !row.isShared) {
    found.push(
      weaker(config, "spec.warmStandby.gpuMemoryShare", {
        has: "a shared GPU, on which neighbours slow a wake down",
        row: "a warm GPU of its own",
        next: "Write false, or choose tier gold.",
      }),
    );
  }
  if (warm.lend === "whenIdle" && row.lend === "never") {
    found.push(
      weaker(config, "spec.warmStandby.lend", { has: "bytes that must be taken back first", row: "lend: never", next: "Write never." }),
    );
  }
  return found;
}

function weakerCold(config: HotStandbyConfig): readonly WarningFinding[] {
  const rowBytes = TIER_TABLE[config.tier].coldReservedBytes;
  if (rowBytes === 0) return [];
  const heldBytes = config.cold?.memoryReservedBytes ?? 0;
  if (heldBytes >= rowBytes) return [];
  const path = config.cold === null ? "spec.coldStandby" : "spec.coldStandby.memoryReserved";
  return [
    weaker(config, path, {
      has:
        heldBytes === 0
          ? "nothing is held for a cold start, which then depends on what is free"
          : `${formatBytes(heldBytes)} are held for a cold start`,
      row: `${formatBytes(rowBytes)} reserved`,
      next: `Write coldStandby.memoryReserved: ${formatBytes(rowBytes).replace(" ", "")}.`,
    }),
  ];
}

function weakerPromise(config: HotStandbyConfig): readonly WarningFinding[] {
  const rowMs = TIER_TABLE[config.tier].rtoTargetMs;
  const { rtoTargetMs } = config.failoverPolicy;
  if (rtoTargetMs <= rowMs) return [];
  return [
    weaker(config, "spec.failoverPolicy.rtoTarget", {
      has: `a promise of ${formatDuration(rtoTargetMs)}`,
      row: `an RTO of ${formatDuration(rowMs)}`,
      next: `Write ${formatDuration(rowMs)}, or a lower tier.`,
    }),
  ];
}

function zones({ hot, warm, model }: HotStandbyConfig): readonly WarningFinding[] {
  const zone = hot.nodeSelector[ZONE_LABEL];
  if (zone === undefined) return [];
  const found: WarningFinding[] = [];
  const path = ["spec", "hotStandby", "nodeSelector", ZONE_LABEL];
  const instanceCount = hot.gpuCount / model.tensorParallelSize;
  if (instanceCount > 1) {
    found.push({
      code: "ONE_ZONE",
      at: path,
      mark: "value",
      what: `All ${instanceCount} hot instances stand in zone ${zone}.`,
      why: "The loss of that zone takes all of them at once.",
      next: "Remove the zone from hotStandby.nodeSelector, so that they spread.",
    });
  }
  if (warm?.nodeSelector[ZONE_LABEL] === zone) {
    found.push({
      code: "ONE_ZONE",
      at: ["spec", "warmStandby", "nodeSelector", ZONE_LABEL],
      mark: "value",
      what: `The warm instance stands in zone ${zone}, as the hot ones do.`,
      why: "The loss of that zone leaves nothing that could take over.",
      next: "Name another zone for warmStandby, or none.",
    });
  }
  return found;
}

/** Fields that say something other than they seem to. */
function silent(config: HotStandbyConfig): readonly WarningFinding[] {
  const { hot, warm, cold, failoverPolicy } = config;
  const found: WarningFinding[] = [];
  if (hot.capacityType === "spot") {
    found.push(
      warning("HOT_ON_SPOT", "spec.hotStandby.capacityType", {
        what: "The hot level stands on spot nodes only.",
        why: "They may be taken away at short notice, several at once.",
        next: "Write on-demand for the hot level; spot suits warm and cold.",
      }),
    );
  }
  if (!failoverPolicy.isAutomatic) {
    found.push(
      warning("ADVISE_MODE", "spec.failoverPolicy.autoFailover", {
        what: "autoFailover is false: moves down the ladder are recorded, not made.",
        why: "Ready endpoints are used and dead instances restarted all the same; a wake or a cold start waits for a person.",
        next: "Write true unless a person is always at hand.",
      }),
    );
  }
  if (config.isQosClassExplicit && !hot.isShared && warm?.isShared !== true && cold?.isShared !== true) {
    found.push(
      warning("NO_EFFECT", "spec.qosClass", {
        what: "spec.qosClass has no effect: no level of the service shares a GPU.",
        why: "The class sets ceilings between those who share one.",
        next: "Remove it.",
      }),
    );
  }
  return found;
}
