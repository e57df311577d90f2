import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { InstanceName } from "../../base/ids.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EngineLauncher, LaunchError, LaunchPlan, RunningEngine } from "../../ports/engine-launcher.ts";
import type { Random } from "../../ports/random.ts";
import { simulatedEngineArguments } from "../../wire/dialect-simulated.ts";
import { endProcess } from "../process/end-process.ts";
import { environmentOf, findByEnvironment } from "../process/process-identity.ts";
import { adoptRecorded, startRecorded, type RecordedProcess, type RecordedStart } from "../process/recorded-process.ts";
import { removeRunRecord } from "../process/run-record.ts";
import { aboutEngine, engineOf } from "./engine-record.ts";
import { createExitListeners } from "./exit-listeners.ts";
import { findFreePort } from "./free-port.ts";

/** Marks every engine, and what it starts itself, with `<state id>/<instance>/<nonce>`. */
const MARK_NAME = "TIDEGATE_INSTANCE";
const HOST = "127.0.0.1";

export interface ProcessLauncherOptions {
  readonly stateDir: string;
  readonly stateId: string;
  /** What stands before `engine --instance ...`: the program and its first arguments. */
  readonly commandPrefix: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  /** null = engines run without a memory account. */
  readonly gpuAccountSocket: string | null;
  /** PATH and HOME of the engines; the rest of their environment is their plan's. */
  readonly env: { readonly PATH: string; readonly HOME: string };
}

/**
 * Engines as local processes, each in a group of its own, with its output in `<stateDir>/engines/<instance>.log`.
 * They outlive the control plane; the next one finds them by their records in the same folder.
 */
export function createProcessLauncher(options: ProcessLauncherOptions): EngineLauncher {
  const launcher = new ProcessLauncher(options);
  return {
    observe: () => launcher.observe(),
    ensure: (plan) => launcher.inTurn(plan.instance, () => launcher.ensure(plan)),
    remove: (instance, graceMs) => launcher.inTurn(instance, () => launcher.remove(instance, graceMs)),
    // Nodes may be simulated; their processes are all of this machine.
    machineOf: () => "local",
    onExit: (listener) => launcher.exits.add(listener),
  };
}

interface Engine {
  readonly running: RunningEngine;
  readonly process: RecordedProcess;
}

class ProcessLauncher {
  readonly exits = createExitListeners();
  readonly #options: ProcessLauncherOptions;
  readonly #engines = new Map<InstanceName, Engine>();
  readonly #turns = new Map<InstanceName, Promise<unknown>>();
  readonly #portsTaken = new Set<number>();
  #found: Promise<void> | null = null;

  constructor(options: ProcessLauncherOptions) {
    this.#options = options;
  }

  /** Verbs on one instance go one after another, and none before the engines of an earlier control plane are found. */
  async inTurn<Value>(instance: InstanceName, work: () => Promise<Value>): Promise<Value> {
    const turn = Promise.all([this.#turns.get(instance), this.#find()]).then(work);
    // How the verb before went is its caller's affair.
    const settled = turn.then(ignore, ignore);
    this.#turns.set(instance, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(instance) === settled) this.#turns.delete(instance);
    }
  }

  async observe(): Promise<readonly RunningEngine[]> {
    await this.#find();
    return [...this.#engines.values()].filter((engine) => engine.process.isAlive()).map((engine) => engine.running);
  }

  async ensure(plan: LaunchPlan): Promise<Result<RunningEngine, LaunchError>> {
    const failed = (reason: string): Result<never, LaunchError> => err({ code: "LAUNCH_FAILED", instance: plan.instance, reason });
    const current = this.#engines.get(plan.instance);
    if (current?.process.isAlive() === true) {
      const { running } = current;
      if (running.uid === plan.uid && running.generation === plan.generation) return ok(running);
      return failed(`generation ${running.generation} still runs as pid ${running.pid}; remove it first`);
    }
    if (plan.model.engine !== "simulated") {
      return failed(`engines of kind ${plan.model.engine} are not started as local processes yet; start it and attach it`);
    }
    const port = await findFreePort(this.#options.random, this.#portsTaken);
    if (port === null) return failed("no free port was found between 20000 and 32000");
    const engine = { instance: plan.instance, uid: plan.uid, generation: plan.generation, address: { host: HOST, port } };
    this.#portsTaken.add(port);
    const started = await startRecorded(this.#startOf(plan, engine), this.#options);
    if (!started.ok) {
      this.#portsTaken.delete(port);
      return failed(started.error);
    }
    const running = { ...engine, pid: started.value.identity.pid };
    this.#keep({ running, process: started.value });
    return ok(running);
  }

  async remove(instance: InstanceName, graceMs: number): Promise<void> {
    const engine = this.#engines.get(instance);
    if (engine === undefined) return removeRunRecord(this.#place(instance).recordPath);
    await engine.process.end(graceMs);
    await this.#forget(engine);
  }

  #startOf(plan: LaunchPlan, engine: Omit<RunningEngine, "pid">): RecordedStart {
    const { commandPrefix, gpuAccountSocket, stateId, env } = this.#options;
    const engineArguments = simulatedEngineArguments(plan, { address: engine.address, gpuAccountSocket, stateId });
    const command = [...commandPrefix, "engine", ...engineArguments];
    return { ...this.#place(plan.instance), command, env: { ...plan.environment, ...env }, about: aboutEngine(engine) };
  }

  #place(instance: string): Pick<RecordedStart, "recordPath" | "logPath" | "mark"> {
    const path = join(this.#options.stateDir, "engines", instance);
    return { recordPath: `${path}.json`, logPath: `${path}.log`, mark: { name: MARK_NAME, owner: `${this.#options.stateId}/${instance}` } };
  }

  #keep(engine: Engine): void {
    this.#engines.set(engine.running.instance, engine);
    this.#portsTaken.add(engine.running.address.port);
    void engine.process.ended.then(async (reason) => {
      const lastLog = await engine.process.lastLog();
      await this.inTurn(engine.running.instance, async () => {
        // What it started itself may still hold its GPUs.
        await engine.process.end(0);
        await this.#forget(engine);
      });
      this.exits.tell({ instance: engine.running.instance, generation: engine.running.generation, reason, lastLog });
    });
  }

  /** Does nothing when a later engine stands in its place. */
  async #forget(engine: Engine): Promise<void> {
    const { instance, address } = engine.running;
    if (this.#engines.get(instance) !== engine) return;
    this.#engines.delete(instance);
    this.#portsTaken.delete(address.port);
    await removeRunRecord(this.#place(instance).recordPath);
  }

  #find(): Promise<void> {
    this.#found ??= this.#adoptAll();
    return this.#found;
  }

  /** Engines with a record are ours again; those with our mark and none are ended: nobody could tell what they serve. */
  async #adoptAll(): Promise<void> {
    const { stateDir, stateId, clock } = this.#options;
    const known = new Set<string>();
    for (const instance of await recordedInstances(join(stateDir, "engines"))) {
      const place = this.#place(instance);
      const adopted = await adoptRecorded(place, clock);
      const running = adopted === null ? null : engineOf(adopted.about, adopted.identity.pid);
      if (adopted === null || running === null) {
        await removeRunRecord(place.recordPath);
        continue;
      }
      known.add(adopted.markValue);
      this.#keep({ running, process: adopted });
    }
    for (const stray of await findByEnvironment(MARK_NAME, `${stateId}/`)) {
      if (known.has(stray.value) || environmentOf(stray.pid, MARK_NAME) !== stray.value) continue;
      await endProcess(stray, { graceMs: 0, mark: { name: MARK_NAME, value: stray.value }, clock });
    }
  }
}

const ignore = (): undefined => undefined;

async function recordedInstances(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length));
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw cause;
  }
}
