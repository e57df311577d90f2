import { wallMs, type GatewayId, type ServiceName, type WallMs } from "../base/ids.ts";
import type { Episode } from "../api/link-message.ts";
import { viewEpisode, type EpisodeView } from "../failover/episode-view.ts";

/** Each gateway tells of at most eight open ones of a service. */
const EPISODES_MAX = 32;
const KEPT_MS = 360_000;

/** The newest of each loss that each gateway saw. */
export interface EpisodeShelf {
  /** @returns false when it says nothing new. */
  hear(episode: Episode, heard: { readonly gateway: GatewayId; readonly atMs: WallMs }): boolean;
  /** Those of the last minutes, in the order first heard; a long one counts from its end. */
  of(service: ServiceName, nowMs: WallMs): readonly EpisodeView[];
}

export function createEpisodeShelf(): EpisodeShelf {
  const services = new Map<ServiceName, Map<string, EpisodeView>>();
  return {
    hear(episode, heard) {
      const shelf = services.get(episode.service) ?? new Map<string, EpisodeView>();
      services.set(episode.service, shelf);
      const key = `${heard.gateway} ${episode.uid} ${episode.number}`;
      const before = shelf.get(key) ?? null;
      const fresh = viewEpisode(episode, heard);
      const next = before === null ? fresh : steadied(fresh, before);
      if (before !== null && JSON.stringify(next) === JSON.stringify(before)) return false;
      shelf.set(key, next);
      const oldest = shelf.keys().next().value;
      if (shelf.size > EPISODES_MAX && oldest !== undefined) shelf.delete(oldest);
      return true;
    },
    of: (service, nowMs) =>
      [...(services.get(service)?.values() ?? [])].filter((episode) => nowMs - (episode.endedAtMs ?? episode.faultAtMs) < KEPT_MS),
  };
}

/** The link's delay differs from message to message: one larger than that is another loss under the same number. */
const SAME_FAULT_MS = 30_000;

/** A message that is repeated gives every time anew, a little off: what was heard first stays, and what is new stands as far from it. */
function steadied(fresh: EpisodeView, before: EpisodeView): EpisodeView {
  if (fresh.instance !== before.instance || Math.abs(fresh.faultAtMs - before.faultAtMs) > SAME_FAULT_MS) return fresh;
  const offByMs = before.faultAtMs - fresh.faultAtMs;
  // Of a sum of fractions the last bit is chance: what comes at the moment of detection does not come before it.
  const moved = (freshMs: WallMs): WallMs => wallMs(Math.max(freshMs + offByMs, before.detectedAtMs));
  const steady = (freshMs: WallMs | null, knownMs: WallMs | null): WallMs | null => (freshMs === null ? null : (knownMs ?? moved(freshMs)));
  return {
    ...fresh,
    faultAtMs: before.faultAtMs,
    detectedAtMs: before.detectedAtMs,
    targetReadyAtMs: fresh.targetReadyAtMs === null ? null : (before.targetReadyAtMs ?? wallMs(fresh.targetReadyAtMs + offByMs)),
    firstGoodTokenAtMs: steady(fresh.firstGoodTokenAtMs, before.firstGoodTokenAtMs),
    endedAtMs: steady(fresh.endedAtMs, before.endedAtMs),
  };
}
