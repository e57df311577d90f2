import { wallMs, type GatewayId, type WallMs } from "../base/ids.ts";
import type { Episode } from "../api/link-message.ts";

type Ages = "faultAgeMs" | "detectedAgeMs" | "targetReadyAgeMs" | "firstGoodTokenAgeMs" | "endedAgeMs";

/** A loss as one gateway saw it, on the control plane's wall clock. */
export interface EpisodeView extends Omit<Episode, Ages | "type" | "service"> {
  readonly gateway: GatewayId;
  readonly faultAtMs: WallMs;
  readonly detectedAtMs: WallMs;
  readonly targetReadyAtMs: WallMs | null;
  readonly firstGoodTokenAtMs: WallMs | null;
  /** When the last request that it concerns was settled; null = it is not over. */
  readonly endedAtMs: WallMs | null;
}

/** Ages become wall times at the moment the message is heard. */
export function viewEpisode(episode: Episode, heard: { readonly gateway: GatewayId; readonly atMs: WallMs }): EpisodeView {
  const { type: _type, service: _service, faultAgeMs, detectedAgeMs, targetReadyAgeMs, firstGoodTokenAgeMs, endedAgeMs, ...same } = episode;
  const ago = (ageMs: number): WallMs => wallMs(heard.atMs - ageMs);
  return {
    ...same,
    gateway: heard.gateway,
    faultAtMs: ago(faultAgeMs),
    detectedAtMs: ago(detectedAgeMs),
    targetReadyAtMs: targetReadyAgeMs === null ? null : ago(targetReadyAgeMs),
    firstGoodTokenAtMs: firstGoodTokenAgeMs === null ? null : ago(firstGoodTokenAgeMs),
    endedAtMs: endedAgeMs === null ? null : ago(endedAgeMs),
  };
}
