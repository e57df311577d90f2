import type { LadderPlace } from "../api/failover-record.ts";
import type { OpenMove, ServiceStatus } from "../api/service-status.ts";
import { parseWall } from "../base/time.ts";
import { fingerprintOf } from "../failover/desired-instances.ts";
import type { LadderChecker, Wrong } from "./checker.ts";
import type { LadderView, ServiceView } from "./ladder-view.ts";

const RUNGS: readonly LadderPlace[] = ["hot", "warm", "cold", "degraded"];
const isBelow = (place: LadderPlace, other: LadderPlace): boolean => RUNGS.indexOf(place) > RUNGS.indexOf(other);

interface Change {
  readonly service: ServiceView;
  readonly before: ServiceStatus;
  readonly after: ServiceStatus;
  readonly view: LadderView;
}

/** Calls `judge` for each status that differs from the one seen before. */
export function onChange(name: string, judge: (change: Change) => readonly Wrong[]): LadderChecker {
  const seen = new Map<string, ServiceStatus>();
  let looked: LadderView["services"] | null = null;
  return {
    name,
    look(view) {
      if (view.services === looked) return [];
      looked = view.services;
      return looked.flatMap((service) => {
        const { status: after } = service;
        const before = seen.get(service.name);
        if (after === null || after === before) return [];
        seen.set(service.name, after);
        return before === undefined ? [] : judge({ service, before, after, view });
      });
    },
  };
}

/** The move that this change made, where it is one of those that are recorded. */
export const moveOf = ({ before, after }: Pick<Change, "before" | "after">): OpenMove | null =>
  after.epoch === before.epoch + 1 && after.openMove?.epoch === after.epoch ? after.openMove : null;

/** Epoch and revision never go back; the level moves with an epoch, past no rung that serves, and back only to a hot that is whole. */
export const checkLadder = (): LadderChecker =>
  onChange("ladder", (change) => {
    const { service, before, after } = change;
    const wrongs: string[] = [];
    if (after.epoch < before.epoch) wrongs.push(`epoch ${before.epoch} is followed by ${after.epoch}`);
    if (after.revision < before.revision) wrongs.push(`revision ${before.revision} is followed by ${after.revision}`);
    if (after.level !== before.level && after.epoch === before.epoch)
      wrongs.push(`goes from ${before.level} to ${after.level} in one epoch`);
    const move = moveOf(change);
    if (move !== null && move.requestedBy === "automatic") {
      const passed = after.instances.find(({ level, state }) => state === "Ready" && isBelow(after.level, level));
      if (isBelow(after.level, before.level) && passed !== undefined)
        wrongs.push(`moves from ${before.level} down to ${after.level}, past ${passed.name}, which is Ready`);
      const hot = after.instances.filter(({ level, state }) => level === "hot" && state === "Ready").length;
      if (move.cause === "failback" && hot < service.config.hot.gpuCount)
        wrongs.push(`fails back to hot with ${hot} of ${service.config.hot.gpuCount} Ready`);
    }
    return wrongs.map((what) => ({ whom: service.name, what }));
  });

/** Every automatic move down counts once, in a window that begins with the first; nothing else does. */
export const checkMoveCount = (): LadderChecker =>
  onChange("move-count", (change) => {
    const { service, before, after, view } = change;
    if (after.epoch > before.epoch + 1) return [];
    const move = moveOf(change);
    const isCounted = move !== null && move.requestedBy === "automatic" && move.cause !== "rollout" && isBelow(after.level, before.level);
    const { inWindow } = after.failovers;
    const may = isCounted
      ? [countAfter(change, move.decidedAt) + 1, ...(isResumed(view, service.name) ? [1] : [])]
      : [before.failovers.inWindow, 0];
    if (may.includes(inWindow)) return [];
    const what = `${isCounted ? `a move for ${move.cause}` : "no move"} brings the count from ${before.failovers.inWindow} to ${inWindow}`;
    return [{ whom: service.name, what }];
  });

function countAfter({ before, service }: Change, decidedAt: string): number {
  const { inWindow, windowStart } = before.failovers;
  const startMs = windowStart === null ? null : parseWall(windowStart);
  const nowMs = parseWall(decidedAt);
  if (startMs === null || nowMs === null) return 0;
  return nowMs >= startMs + service.config.failoverPolicy.windowMs ? 0 : inWindow;
}

const isResumed = ({ records }: LadderView, service: string): boolean =>
  records.some((record) => record.service === service && record.action === "resume");

/** What was held back before still is: an older grant is used up, and gateways know. */
const HOLD_SETTLES_MS = 2_000;
/** A gateway whose link was cut may still use what it was granted. */
const LINK_SETTLES_MS = 20_000;

/** At maxFailoverCount nothing is woken and no reserve is started, unless an operator or a rollout asks for it. */
export function checkHold(): LadderChecker {
  const heldSince = new Map<string, { readonly windowStart: string; readonly atMs: number }>();
  let cutAtMs = Number.NEGATIVE_INFINITY;
  const watched = onChange("hold", ({ service, before, after, view }) => {
    const held = heldSince.get(service.name);
    const isHeld = held !== undefined && held.windowStart === after.failovers.windowStart && view.atMs - held.atMs > HOLD_SETTLES_MS;
    if (!isHeld || !isFull(after, service) || isExcused(service, [before, after], view) || view.atMs - cutAtMs < LINK_SETTLES_MS) return [];
    return after.instances.flatMap((instance) => {
      const was = before.instances.find(({ name }) => name === instance.name);
      const isWoken = was?.state === "Asleep" && instance.state === "Waking";
      const isStarted = was === undefined && instance.level === "cold";
      return isWoken || isStarted ? [{ whom: instance.name, what: `is ${isWoken ? "woken" : "started"} under Hold` }] : [];
    });
  });
  return {
    name: watched.name,
    look(view) {
      if (view.isLinkCut) cutAtMs = view.atMs;
      const wrongs = watched.look(view);
      for (const service of view.services) {
        const windowStart = service.status?.failovers.windowStart ?? null;
        if (service.status === null || windowStart === null || !isFull(service.status, service)) heldSince.delete(service.name);
        else if (heldSince.get(service.name)?.windowStart !== windowStart) heldSince.set(service.name, { windowStart, atMs: view.atMs });
      }
      return wrongs;
    },
  };
}

const isFull = ({ failovers }: ServiceStatus, { config }: ServiceView): boolean =>
  failovers.inWindow >= config.failoverPolicy.maxFailoverCount;

function isExcused({ name, config }: ServiceView, statuses: readonly ServiceStatus[], { records }: LadderView): boolean {
  const fingerprint = fingerprintOf(config.model);
  const isRolling = statuses.some(({ instances }) => instances.some((one) => one.fingerprint !== "" && one.fingerprint !== fingerprint));
  const isOperated = records.some(
    ({ service, requestedBy, status }) =>
      service === name && requestedBy === "operator" && (status === null || status.phase === "Requested" || status.phase === "Running"),
  );
  return isRolling || isOperated || statuses.some(({ pinned }) => pinned !== null);
}
