import type { FailoverRecord } from "../api/failover-record.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import type { ClientEvent, ScenarioEvent, SurgeEvent } from "./scenario.ts";
import type { WorldClientPorts, WorldLoad } from "./world-client.ts";

/** Events that each world does in its own way; those of clients are the same in both. */
export type StageEvent = Exclude<ScenarioEvent, SurgeEvent | ClientEvent>;

/** How a client asks for a service. */
export interface StageClient {
  readonly ports: WorldClientPorts;
  readonly load: Omit<WorldLoad, "requestsPerSecond">;
}

/**
 * A platform that runs, on which a scenario is played: the simulator's world, or real processes. Engines are still loading when it is made.
 */
export interface ScenarioStage {
  readonly world: "simulator" | "real";
  /** On a steady clock of the stage's own. */
  nowMs(): number;
  /** Lets so much time pass. */
  wait(durationMs: number): Promise<void>;
  /** By name; null = nobody tells now. */
  statuses(): Promise<ReadonlyMap<string, ServiceStatus> | null>;
  records(): Promise<readonly FailoverRecord[]>;
  /** @param purpose chance and name of its own for each client. */
  clientOf(service: string, purpose: string): Promise<StageClient>;
  /** @returns why it cannot be done; null = it is done. */
  perform(event: StageEvent): Promise<string | null>;
  /** Nothing of it runs afterwards. @returns what was left open, and must not have been. */
  stop(): Promise<readonly string[]>;
}
