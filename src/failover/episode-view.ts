import { wallMs, type Epoch, type GatewayId, type InstanceName, type Uid, type WallMs } from "../base/ids.ts";
import type { EjectionCause, Episode } from "../api/link-message.ts";
import type { Level } from "../api/hot-standby-config.ts";

/** A loss as one gateway saw it, on the control plane's wall clock. */
export interface EpisodeView {
  readonly gateway: GatewayId;
  readonly uid: Uid;
  readonly epoch: Epoch;
  readonly number: number;
  readonly instance: InstanceName;
  readonly cause: EjectionCause;
  readonly from: Level;
  readonly to: Level | null;
  readonly faultAtMs: WallMs;
  readonly detectedAtMs: WallMs;
  readonly targetReadyAtMs: WallMs | null;
  readonly firstGoodTokenAtMs: WallMs | null;
  readonly affected: number;
  readonly lost: number;
  readonly rtoMs: number | null;
  readonly isOver: boolean;
}

/** Ages become wall times at the moment the message is heard. */
export function viewEpisode(episode: Episode, heard: { readonly gateway: GatewayId; readonly atMs: WallMs }): EpisodeView {
  const ago = (ageMs: number): WallMs => wallMs(heard.atMs - ageMs);
  return {
    gateway: heard.gateway,
    uid: episode.uid,
    epoch: episode.epoch,
    number: episode.number,
    instance: episode.instance,
    cause: episode.cause,
    from: episode.from,
    to: episode.to,
    faultAtMs: ago(episode.faultAgeMs),
    detectedAtMs: ago(episode.detectedAgeMs),
    targetReadyAtMs: episode.targetReadyAgeMs === null ? null : ago(episode.targetReadyAgeMs),
    firstGoodTokenAtMs: episode.firstGoodTokenAgeMs === null ? null : ago(episode.firstGoodTokenAgeMs),
    affected: episode.affected,
    lost: episode.lost,
    rtoMs: episode.rtoMs,
    isOver: episode.isOver,
  };
}
