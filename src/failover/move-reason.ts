import { epoch } from "../base/ids.ts";
import { gpuKey } from "./instance-look.ts";
import { onLevel, type LadderLook } from "./ladder-look.ts";
import type { NextPlace } from "./next-place.ts";
import { lossNear } from "./rto-clock.ts";

/** Short and stable: what made the rung useless. A gateway that saw it knows best; then what is known of the instances. */
export function moveCause(look: LadderLook): string {
  const { before } = look;
  const gone = before.level === "degraded" ? [] : onLevel(look, before.level);
  if (gone.length > 0 && gone.every((instance) => instance.state === "Draining")) return "rollout";
  const earlier = before.instances.filter((instance) => instance.level === before.level);
  const isLost = earlier.some((instance) => instance.members.some((member) => look.lostGpus.has(gpuKey(member))));
  if (isLost) return "gpu-lost";
  if (gone.some(({ message, violations }) => violations !== null && message === violations.what)) return "isolation-violation";
  if (gone.some((instance) => instance.failedWakes > 0)) return "wake-failed";
  if (gone.some((instance) => instance.failedStarts > 0)) return "start-failed";
  return lossNear(look.episodes, { atMs: look.wallMs, epoch: epoch(look.before.epoch + 1), redundantAtMs: null })?.cause ?? "engine-ended";
}

/** For people: who is missing, and who serves instead. */
export function moveReason(look: LadderLook, next: NextPlace): string {
  const { level } = look.before;
  const gone = level === "degraded" ? [] : onLevel(look, level).map(({ name }) => name);
  const lost = gone.length === 0 ? `Nobody serves on ${level}` : `${gone.join(", ")} ${gone.length === 1 ? "does" : "do"} not serve`;
  return `${lost}; ${instead(next)}.`;
}

function instead(next: NextPlace): string {
  switch (next.how) {
    case "ready":
      return `${next.to} is Ready`;
    case "wake":
      return "warm is woken";
    case "start-reserve":
      return "the cold reserve is started";
    case "restart":
      return "what restarts in place is waited for";
    case "none":
      return "nothing is on its way";
  }
}
