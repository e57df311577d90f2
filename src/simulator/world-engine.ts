import type { SimulatedClock } from "../adapters/clock/simulated.ts";
import type { StartSimulatedEngine } from "../adapters/engine-launcher/simulated.ts";
import type { SimulatedAccount } from "../adapters/gpu-driver/simulated.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { Generation, InstanceName } from "../base/ids.ts";
import type { LaunchPlan } from "../ports/engine-launcher.ts";
import type { GpuAccount } from "../ports/gpu-account.ts";
import type { Handler } from "../ports/http-front.ts";
import { termOf } from "../wire/term-header.ts";
import { maxBatchOf } from "../wire/dialect-simulated.ts";
import { createEngine, explainStartError } from "./engine-handler.ts";
import { ENGINE_DEFAULTS, type EngineOptions } from "./engine-options.ts";
import type { ObeyedOrder } from "./node-agent.ts";
import type { SimulatedNetwork } from "./network.ts";
import { ProcessLife } from "./process-life.ts";
import { clockOf, noisyHandler, type WorldNoise } from "./world-noise.ts";

export interface WorldEngineParts {
  readonly seed: number;
  readonly stateId: string;
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly account: SimulatedAccount;
  /** Every process of the world by its party. */
  readonly lives: Map<string, ProcessLife>;
  readonly noise: WorldNoise;
  /** Hears of each sleep and wake that was done for a control plane with a term. */
  readonly ordered: (order: Pick<ObeyedOrder, "verb" | "term" | "whom">) => void;
}

/** The group of all engine processes on the network, those of later generations too. */
export const ENGINES = "engines";

/** Port of the first engine; each process gets its own, as on one machine. */
const FIRST_PORT = 40_000;

/** An engine process's name on the network. */
export const partyOf = (instance: InstanceName, generation: Generation): string => `${instance}/${generation}`;

/** The instance that such a party is a process of. */
export const instanceOf = (party: string): string => party.slice(0, party.lastIndexOf("/"));

/** Engines as processes of the simulated machine: an address, an account of its GPUs, and a death that its kernel tells. */
export const startWorldEngines =
  ({ seed, stateId, clock, network, account, lives, noise, ordered }: WorldEngineParts): StartSimulatedEngine =>
  (plan, process) => {
    const party = partyOf(plan.instance, plan.generation);
    const address = { host: "127.0.0.1", port: FIRST_PORT + process.pid };
    const holding = account.open({ instance: plan.instance, pid: process.pid, isPromised: true });
    const life = new ProcessLife(clockOf(clock, noise, party));
    const made = createEngine(
      optionsOf(plan, stateId),
      {
        clock: life.clock,
        random: createSeededRandom(`${seed}/${party}`),
        account: accountOf(life, holding.account),
        stepMs: (plannedMs) => noise.stepMs(party, plannedMs),
      },
      {
        crashed: (reason) => process.ended(reason),
        gpuEnded: (reason) => process.ended(reason),
        unclaimed: () => process.ended("nobody claimed it for 30 s"),
      },
    );
    if (!made.ok) return explainStartError(made.error).why;
    const engine = made.value;
    lives.set(party, life);
    network.join(party, ENGINES);
    network.attach(
      address,
      overheard(
        noisyHandler(engine.handler, (question) => noise.answerLateMs(party, question), life.clock),
        party,
        ordered,
      ),
      party,
    );
    void engine.start().then((started) => {
      if (!started.ok) process.ended(explainStartError(started.error).why);
    });
    return {
      address,
      stop: () => {
        network.crash(party);
        engine.stop();
        holding.close();
        life.end();
        lives.delete(party);
      },
    };
  };

/** Tells of orders that were answered by 200. */
const overheard =
  (handler: Handler, whom: string, ordered: WorldEngineParts["ordered"]): Handler =>
  (exchange) => {
    const term = exchange.method === "POST" ? termOf(exchange.headers) : null;
    const verb = exchange.target.startsWith("/sleep") ? "sleep" : exchange.target.startsWith("/wake_up") ? "wake" : null;
    if (term === null || verb === null) return handler(exchange);
    const { method, target, httpVersion, headers, remoteAddress, arrivedAt } = exchange;
    return handler({
      method,
      target,
      httpVersion,
      headers,
      remoteAddress,
      arrivedAt,
      pauseBody: () => exchange.pauseBody(),
      resumeBody: () => exchange.resumeBody(),
      head: (status, lines) => {
        if (status === 200) ordered({ verb, term, whom });
        exchange.head(status, lines);
      },
      write: (given) => exchange.write(given),
      end: () => exchange.end(),
      abort: () => exchange.abort(),
    });
  };

/** What the kernel does for a process that stands still is done; the process hears of it later. */
const accountOf = (life: ProcessLife, account: GpuAccount): GpuAccount => ({
  holdGpu: (at, bytes, residence) => life.answer(account.holdGpu(at, bytes, residence)),
  grabGpu: (at, bytes) => life.answer(account.grabGpu(at, bytes)),
  holdHost: (node, bytes) => life.answer(account.holdHost(node, bytes)),
  transfer: (over, bytes, signal) => life.answer(account.transfer(over, bytes, signal)),
  watchLoss: (gpus, lost) => account.watchLoss(gpus, (at) => life.run(() => lost(at))),
  shareCompute: (gpus, told) => account.shareCompute(gpus, (terms) => life.run(() => told(terms))),
});

const optionsOf = (plan: LaunchPlan, stateId: string): EngineOptions => ({
  ...ENGINE_DEFAULTS,
  instance: plan.instance,
  model: plan.model.name,
  revision: plan.model.revision,
  adapters: plan.model.adapters,
  weightsBytes: plan.model.weightsBytes,
  contextLength: plan.model.contextLength,
  gpus: plan.members,
  memoryBytesPerGpu: plan.memoryBytesPerGpu,
  load: plan.load,
  wakeBytesPerSecond: plan.hostToGpuBytesPerSecond,
  profile: { ...ENGINE_DEFAULTS.profile, maxBatch: maxBatchOf(plan.model) },
  areFaultsEnabled: true,
  isSleepEnabled: plan.isSleepable,
  claim: stateId,
});
