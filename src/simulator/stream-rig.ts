import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { RouteTable } from "../api/route-table.ts";
import { assert } from "../base/assert.ts";
import { GB } from "../base/bytes.ts";
import { createEngine } from "./engine-handler.ts";
import { ENGINE_DEFAULTS } from "./engine-options.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";
import { createSimulatedNetwork, type SimulatedNetwork } from "./network.ts";

/** A gateway and engines of one fingerprint over the simulated network: streams move between them. */
export interface StreamRig {
  readonly rig: GatewayRig;
  readonly network: SimulatedNetwork;
  /** Begins a stream; `onEvent` hears of each event that reaches its client, from 1 on. */
  ask(body: object, onEvent?: (count: number) => void, target?: string): RigClient;
  /** As SIGKILL of the engine that serves that client now. */
  killServer(client: RigClient): void;
  /** Until the client's answer has ended. */
  untilEnded(client: RigClient): Promise<void>;
  /** The next table, in which that engine is not. */
  tableWithout(port: number): RouteTable;
  /** A fault as its admin route takes it, at every engine. */
  inject(port: number, fault: object, forMs: number): Promise<void>;
}

const MODEL = "tide-8b";
const CONTEXT_LENGTH = 40_960;
const READY_MS = 2_000;
const ENDED_MS = 60_000;
const STEP_MS = 20;

export const engineName = (port: number): string => `engine-${port}`;

/** How engines differ; by default they do not. */
export interface EngineDifference {
  readonly fingerprint?: string;
  readonly revision?: string;
  readonly reasoningTokens?: number;
  readonly contextLength?: number;
  readonly tokensPerChunk?: number;
  /** As which it is known to the gateway. */
  readonly engine?: EngineKind;
}

export async function startStreamRig(
  seed: number,
  engineCount: number = 3,
  differenceOf: (port: number) => EngineDifference = () => ({}),
): Promise<StreamRig> {
  let made: SimulatedNetwork | null = null;
  const rig = new GatewayRig(null, (clock) => {
    made = createSimulatedNetwork(clock, createSeededRandom(`${seed}/network`));
    return made.upstreamOf("gateway");
  });
  assert(made !== null, "a gateway has a network");
  const network: SimulatedNetwork = made;
  const ports = Array.from({ length: engineCount }, (_, index) => index + 1);
  for (const port of ports) startEngine(rig, network, port, differenceOf(port));
  await rig.clock.advance(READY_MS);
  const tableOf = (named: readonly number[], revision: number): RouteTable => {
    const endpoints = named.map((port) =>
      rigEndpoint(port, { fingerprint: differenceOf(port).fingerprint ?? "f", engine: differenceOf(port).engine ?? "simulated" }),
    );
    return rigTable(endpoints, { contextLength: CONTEXT_LENGTH, revision });
  };
  await rig.start(tableOf(ports, 1));
  const served = new Map<RigClient, Set<number>>();
  return {
    rig,
    network,
    ask: (body, onEvent = () => undefined, target = "/v1/chat/completions") => {
      const client = rig.send(JSON.stringify({ model: MODEL, stream: true, ...body }), { target });
      let told = 0;
      client.onWrite = () => {
        const count = client.text.split("\n\n").length - 1;
        while (told < count) onEvent((told += 1));
      };
      return client;
    },
    killServer: (client) => {
      const dead = served.get(client) ?? new Set<number>();
      served.set(client, dead);
      const port = ports.find((one) => !dead.has(one) && network.openBetween("gateway", engineName(one)) > 0);
      assert(port !== undefined, "somebody serves it");
      dead.add(port);
      network.crash(engineName(port));
    },
    untilEnded: async (client) => {
      for (let waitedMs = 0; client.endedAt === null && waitedMs < ENDED_MS; waitedMs += STEP_MS) await rig.clock.advance(STEP_MS);
    },
    tableWithout: (port) =>
      tableOf(
        ports.filter((one) => one !== port),
        2,
      ),
    inject: (port, fault, forMs) => inject(network, port, { fault, forMs }),
  };
}

function startEngine(rig: GatewayRig, network: SimulatedNetwork, port: number, difference: EngineDifference): void {
  const { revision = ENGINE_DEFAULTS.revision, reasoningTokens = 0, tokensPerChunk = 1, contextLength = CONTEXT_LENGTH } = difference;
  const name = engineName(port);
  const engine = createEngine(
    {
      ...ENGINE_DEFAULTS,
      instance: name,
      model: MODEL,
      revision,
      reasoningTokens,
      tokensPerChunk,
      weightsBytes: 1 * GB,
      memoryBytesPerGpu: 40 * GB,
      contextLength,
      areFaultsEnabled: true,
    },
    { clock: rig.clock, random: createSeededRandom(port), account: null },
    { crashed: () => network.crash(name), gpuEnded: () => undefined, unclaimed: () => network.crash(name) },
  );
  assert(engine.ok, "the model fits");
  network.attach({ host: "127.0.0.1", port }, engine.value.handler, name);
  void engine.value.start();
}

async function inject(network: SimulatedNetwork, port: number, order: object): Promise<void> {
  const done = Promise.withResolvers<void>();
  const request = { method: "POST", target: "/tidegate/faults", headers: [], body: Buffer.from(JSON.stringify(order)) } as const;
  const events = { head: () => undefined, data: () => undefined, end: () => done.resolve(), failed: () => done.resolve() };
  network.upstreamOf("operator").call({ host: "127.0.0.1", port }, request, events);
  await done.promise;
}

/** The same of two runs of one question: who answered, and when, is left out. */
export const sameForAll = (text: string): string =>
  text
    .replaceAll(/"id":"(?:chatcmpl|cmpl|call)-[^"]*"/g, '"id":"?"')
    .replaceAll(/"(?:resp|msg|fc)_[^"]*"/g, '"?"')
    .replaceAll(/"call_id":"[^"]*"/g, '"call_id":"?"')
    .replaceAll(/"created(?:_at)?":\d+/g, '"created":0')
    // What of a prompt came out of a cache, each engine knows of its own.
    .replaceAll(/,"prompt_tokens_details":\{[^}]*\}/g, "");
