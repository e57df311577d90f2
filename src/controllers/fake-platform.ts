import { instanceName, nodeName, type InstanceName } from "../base/ids.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Clock } from "../ports/clock.ts";
import type { EngineExit, EngineLauncher, LaunchError, LaunchPlan, RunningEngine } from "../ports/engine-launcher.ts";
import { NO_DIRT, type GpuDriver } from "../ports/gpu-driver.ts";
import type { CallEvents, Upstream, UpstreamRequest } from "../ports/upstream.ts";

// For tests of the loops: engines that are entries of a map, and the launcher, calls and driver that see them.

export interface FakeEngine {
  readonly plan: LaunchPlan;
  readonly address: RunningEngine["address"];
  readonly pid: number;
  readonly readyAtMs: number;
  /** stopped = as by SIGSTOP; hung = answers, but makes no step. */
  mode: "well" | "stopped" | "hung";
  isAsleep: boolean;
  steps: number;
}

const LOAD_MS = 300;
const ANSWER_MS = 10;
export const WAKE_MS = 200;
/** Of an engine that woke wrongly; the next generation is well again. */
const GARBAGE = "????";
const FAILED_AFTER_MS = 100;
const RIGHT_ANSWER = " comes in";

export class FakePlatform {
  readonly engines = new Map<InstanceName, FakeEngine>();
  /** Every start that happened, in order: `gold-hot-1/2 on gpu-a/0`. */
  readonly starts: string[] = [];
  /** Everything that was asked of an engine. */
  readonly requests: { readonly instance: InstanceName; readonly target: string; readonly headers: readonly string[] }[] = [];
  /** What engines of an instance answer to the known question, where it is not the right answer. */
  readonly answers = new Map<InstanceName, string>();
  /** Instances whose next wake does not come off: 500, or a wrong answer for ever after. */
  readonly badWakes = new Map<InstanceName, "failed" | "garbage">();
  readonly lostGpus = new Set<string>();
  /** Sleeps and wakes that were done, in order: `sleep gold-warm-1/1`. */
  readonly naps: string[] = [];
  /** Requests for work that came to a sleeping engine: each has killed it. */
  readonly crashes: InstanceName[] = [];
  readonly launcher: EngineLauncher;
  readonly upstream: Upstream;
  readonly driver: GpuDriver;
  readonly #clock: Clock;
  readonly #listeners = new Set<(exit: EngineExit) => void>();
  readonly #failing = new Map<InstanceName, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.launcher = {
      observe: async () => [...this.engines.values()].map(runningOf),
      ensure: async (plan) => this.#ensure(plan),
      remove: async (instance) => {
        const engine = this.engines.get(instance);
        if (engine !== undefined) this.#end(engine, "SIGTERM");
      },
      machineOf: () => "local",
      onExit: (listener) => {
        this.#listeners.add(listener);
        return { stop: () => void this.#listeners.delete(listener) };
      },
    };
    this.upstream = { call: (to, request, events) => this.#call(to.port, request, events) };
    this.driver = fakeDriver(this.lostGpus, this.engines);
  }

  engine(name: string): FakeEngine {
    const engine = this.engines.get(instanceName(name));
    if (engine === undefined) throw new Error(`${name} does not run`);
    return engine;
  }

  /** As kill -9: seen at once, reported 5 ms later. */
  kill(name: string): void {
    this.#end(this.engine(name), "SIGKILL");
  }

  /** The next `times` engines of this instance end soon after their start. */
  failStarts(name: string, times: number): void {
    this.#failing.set(instanceName(name), times);
  }

  #ensure(plan: LaunchPlan): Result<RunningEngine, LaunchError> {
    const { instance } = plan;
    const before = this.engines.get(instance);
    if (before !== undefined && before.plan.uid === plan.uid && before.plan.generation === plan.generation) return ok(runningOf(before));
    if (before !== undefined) return err({ code: "LAUNCH_FAILED", instance, reason: `generation ${before.plan.generation} still runs` });
    const pid = 1_000 + this.starts.length;
    const address = { host: "127.0.0.1", port: 40_000 + this.starts.length };
    const engine: FakeEngine = {
      plan,
      address,
      pid,
      readyAtMs: this.#clock.monotonicMs() + LOAD_MS,
      mode: "well",
      isAsleep: false,
      steps: 0,
    };
    this.engines.set(instance, engine);
    if (this.answers.get(instance) === GARBAGE) this.answers.delete(instance);
    this.starts.push(`${instance}/${plan.generation} on ${plan.members.map(({ node, gpu }) => `${node}/${gpu}`).join(",")}`);
    const failures = this.#failing.get(instance) ?? 0;
    this.#failing.set(instance, failures - 1);
    if (failures > 0) this.#clock.after(FAILED_AFTER_MS, () => this.#end(engine, "exit code 3"));
    return ok(runningOf(engine));
  }

  #end(engine: FakeEngine, reason: string): void {
    const { instance, generation } = engine.plan;
    if (this.engines.get(instance) !== engine) return;
    this.engines.delete(instance);
    this.#clock.after(5, () => {
      for (const listener of this.#listeners) listener({ instance, generation, reason, lastLog: null });
    });
  }

  #call(port: number, request: UpstreamRequest, events: CallEvents): ReturnType<Upstream["call"]> {
    const engine = [...this.engines.values()].find((running) => running.address.port === port);
    if (engine !== undefined) this.requests.push({ instance: engine.plan.instance, target: request.target, headers: request.headers });
    const answer = (): void => {
      const isAlive = engine !== undefined && this.engines.get(engine.plan.instance) === engine;
      if (!isAlive) return events.failed({ code: engine === undefined ? "REFUSED" : "RESET", sent: "none" });
      // What came in while it was stopped is answered when it runs again.
      const isHeld = engine.mode === "stopped" || (engine.mode === "hung" && request.method === "POST");
      if (isHeld) return void (timer = this.#clock.after(ANSWER_MS, answer));
      if (engine.isAsleep && request.target.startsWith("/v1/")) {
        this.crashes.push(engine.plan.instance);
        this.#end(engine, "a request while asleep");
        return events.failed({ code: "RESET", sent: "all" });
      }
      const right = this.answers.get(engine.plan.instance) ?? RIGHT_ANSWER;
      const nap = this.#nap(engine, request.target);
      const { status, text } = nap ?? answerOf(engine, request, this.#clock.monotonicMs(), right);
      events.head(status, []);
      events.data(new TextEncoder().encode(text));
      events.end();
    };
    let timer = this.#clock.after(request.target === "/wake_up" ? WAKE_MS : request.method === "POST" ? ANSWER_MS : 1, answer);
    return { pause: () => undefined, resume: () => undefined, abort: () => timer.cancel() };
  }

  /** null = no request about sleep. */
  #nap(engine: FakeEngine, target: string): { readonly status: number; readonly text: string } | null {
    const { instance, generation } = engine.plan;
    if (target === "/is_sleeping") return { status: 200, text: JSON.stringify({ is_sleeping: engine.isAsleep }) };
    const isWake = target === "/wake_up";
    if (!isWake && !target.startsWith("/sleep")) return null;
    const bad = isWake ? this.badWakes.get(instance) : undefined;
    this.badWakes.delete(instance);
    if (bad === "failed") return { status: 500, text: "" };
    if (bad === "garbage") this.answers.set(instance, GARBAGE);
    if (engine.isAsleep === isWake) this.naps.push(`${isWake ? "wake" : "sleep"} ${instance}/${generation}`);
    engine.isAsleep = !isWake;
    return { status: 200, text: "" };
  }
}

function answerOf(
  engine: FakeEngine,
  request: UpstreamRequest,
  nowMs: number,
  answer: string,
): { readonly status: number; readonly text: string } {
  if (request.target === "/health") return { status: nowMs >= engine.readyAtMs ? 200 : 503, text: "" };
  if (request.target === "/metrics") {
    const running = engine.mode === "hung" ? 3 : 0;
    return {
      status: 200,
      text: `vllm:iteration_tokens_total_count ${engine.steps}\nvllm:num_requests_running ${running}\nvllm:num_requests_waiting 0\n`,
    };
  }
  engine.steps += 8;
  return { status: 200, text: JSON.stringify({ choices: [{ text: answer }] }) };
}

const fakeDriver = (lost: ReadonlySet<string>, engines: ReadonlyMap<InstanceName, FakeEngine>): GpuDriver => ({
  observe: async () =>
    ok([
      ...[...lost].map((key) => {
        const [node = "", gpu = "0"] = key.split("/");
        return { node: nodeName(node), gpu: Number(gpu), health: "lost" as const, memoryBytes: 80e9, holders: [], ...NO_DIRT };
      }),
      ...[...engines.values()].flatMap(({ plan: { instance, members }, pid, isAsleep }) =>
        members
          .filter(({ node, gpu }) => !lost.has(`${node}/${gpu}`))
          .map((at) => ({
            ...at,
            health: "ok" as const,
            memoryBytes: 80e9,
            holders: [
              {
                instance,
                pid,
                usedBytes: isAsleep ? 1e9 : 30e9,
                state: isAsleep ? ("parked" as const) : ("awake" as const),
                compute: null,
              },
            ],
            ...NO_DIRT,
          })),
      ),
    ]),
  ensureInventory: async () => ok(null),
  ensurePartition: async () => ok(null),
  removePartition: async () => ok(null),
});

const runningOf = ({ plan, address, pid }: FakeEngine): RunningEngine => ({
  instance: plan.instance,
  uid: plan.uid,
  generation: plan.generation,
  address,
  pid,
});
