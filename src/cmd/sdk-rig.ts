import { join } from "node:path";
import type { TestContext } from "node:test";
import type { RouteTable } from "../api/route-table.ts";
import {
  ownFolder,
  PROCESS_KEY,
  processEndpoint,
  processTable,
  speakAsControlPlane,
  startEntry,
  startQuickEngine,
  type Running,
} from "./gateway-processes.ts";

// Test rig: what a client program is pointed at.

export interface SdkWorld {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
  readonly engines: readonly Running[];
}

/** Slow enough to be killed in the middle of an answer. */
const ENGINE_FLAGS = ["--step-base-ms", "15"];

/** A gateway process and two engine processes of one model, on loopback; requests that nobody can serve are sent away at once. They end with the test. */
export async function startSdkWorld(t: TestContext): Promise<SdkWorld> {
  const { dataDir, after } = ownFolder(t, "tidegate-sdk-");
  const engines = await Promise.all([startQuickEngine(ENGINE_FLAGS, after), startQuickEngine(ENGINE_FLAGS, after)]);
  const endpoints = engines.map((engine, index) => processEndpoint(index + 1, engine.url));
  const table: RouteTable = { ...processTable(endpoints), rtoTargetMs: 1_000, degraded: [{ kind: "shed" }] };
  const control = await speakAsControlPlane(join(dataDir, "link.sock"), table);
  after(() => control.hub.close());
  const gateway = await startEntry("gateway.ts", ["--data-dir", dataDir, "--port", "0", "--id", "gateway-0"], after);
  await control.told;
  return { baseUrl: `${gateway.url}/v1`, key: PROCESS_KEY, model: "tide-8b", engines };
}
