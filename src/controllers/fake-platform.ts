import { instanceName, nodeName, type InstanceName } from "../base/ids.ts";
import { err, ok } from "../base/result.ts";
import type { Clock } from "../ports/clock.ts";
import type { EngineExit, EngineLauncher, LaunchPlan, RunningEngine } from "../ports/engine-launcher.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import type { CallEvents, Upstream, UpstreamRequest } from "../ports/upstream.ts";

// For tests of the loops: engines that are entries of a map, and the launcher, calls and driver that see them.

export interface FakeEngine {
  readonly plan: LaunchPlan;
  readonly address: RunningEngine["address"];
  readonly pid: number;
  readonly readyAtMs: number;
  /** stopped = as by SIGSTOP; hung = answers, but makes no step. */
  mode: "well" | "stopped" | "hung";
  steps: number;
}

export interface FakePlatform {
  readonly launcher: EngineLauncher;
  readonly driver: GpuDriver;
  readonly upstream: Upstream;
  readonly engines: ReadonlyMap<InstanceName, FakeEngine>;
  /** Every start that happened, in order: `gold-hot-1/2 on gpu-a/0`. */
  readonly starts: readonly string[];
  /** Everything that was asked of an engine. */
  readonly requests: readonly { readonly instance: InstanceName; readonly target: string; readonly headers: readonly string[] }[];
  engine(name: string): FakeEngine;
  /** As kill -9: seen at once, reported 5 ms later. */
  kill(name: string): void;
  loseGpu(key: string): void;
  /** Engines of this instance end `afterMs` after their start, `times` times. */
  failStarts(name: string, times: number): void;
  /** What engines of this instance answer to the known question. */
  answers: Map<InstanceName, string>;
}

const LOAD_MS = 300;
const ANSWER_MS = 10;
const FAILED_AFTER_MS = 100;
const RIGHT_ANSWER = " comes in";

export function createFakePlatform(clock: Clock): FakePlatform {
  const engines = new Map<InstanceName, FakeEngine>();
  const listeners = new Set<(exit: EngineExit) => void>();
  const failing = new Map<InstanceName, number>();
  const lost = new Set<string>();
  const starts: string[] = [];
  const requests: { instance: InstanceName; target: string; headers: readonly string[] }[] = [];
  const answers = new Map<InstanceName, string>();
  let nextPid = 1_000;

  function end(engine: FakeEngine, reason: string): void {
    const { instance, generation } = engine.plan;
    if (engines.get(instance) !== engine) return;
    engines.delete(instance);
    clock.after(5, () => {
      for (const listener of listeners) listener({ instance, generation, reason, lastLog: null });
    });
  }

  const launcher: EngineLauncher = {
    observe: async () => [...engines.values()].map(runningOf),
    async ensure(plan) {
      const { instance } = plan;
      const before = engines.get(instance);
      if (before !== undefined && before.plan.uid === plan.uid && before.plan.generation === plan.generation) return ok(runningOf(before));
      if (before !== undefined) return err({ code: "LAUNCH_FAILED", instance, reason: `generation ${before.plan.generation} still runs` });
      const pid = (nextPid += 1);
      const address = { host: "127.0.0.1", port: 40_000 + (pid % 10_000) };
      const engine: FakeEngine = { plan, address, pid, readyAtMs: clock.monotonicMs() + LOAD_MS, mode: "well", steps: 0 };
      engines.set(instance, engine);
      starts.push(`${instance}/${plan.generation} on ${plan.members.map(({ node, gpu }) => `${node}/${gpu}`).join(",")}`);
      const failures = failing.get(instance) ?? 0;
      failing.set(instance, failures - 1);
      if (failures > 0) clock.after(FAILED_AFTER_MS, () => end(engine, "exit code 3"));
      return ok(runningOf(engine));
    },
    async remove(instance) {
      const engine = engines.get(instance);
      if (engine !== undefined) end(engine, "SIGTERM");
    },
    onExit(listener) {
      listeners.add(listener);
      return { stop: () => void listeners.delete(listener) };
    },
  };

  return {
    launcher,
    driver: fakeDriver(lost),
    upstream: {
      call: (to, request, events) =>
        callFake(
          [...engines.values()].find((engine) => engine.address.port === to.port),
          request,
          events,
        ),
    },
    engines,
    starts,
    requests,
    answers,
    engine(name) {
      const engine = engines.get(instanceName(name));
      if (engine === undefined) throw new Error(`${name} does not run`);
      return engine;
    },
    kill(name) {
      end(this.engine(name), "SIGKILL");
    },
    loseGpu: (key) => void lost.add(key),
    failStarts: (name, times) => void failing.set(instanceName(name), times),
  };

  function callFake(engine: FakeEngine | undefined, request: UpstreamRequest, events: CallEvents): ReturnType<Upstream["call"]> {
    if (engine !== undefined) requests.push({ instance: engine.plan.instance, target: request.target, headers: request.headers });
    const answer = (): void => {
      const isAlive = engine !== undefined && engines.get(engine.plan.instance) === engine;
      if (!isAlive) return events.failed({ code: engine === undefined ? "REFUSED" : "RESET", sent: "none" });
      // What came in while it was stopped is answered when it runs again.
      const isHeld = engine.mode === "stopped" || (engine.mode === "hung" && request.method === "POST");
      if (isHeld) return void (timer = clock.after(ANSWER_MS, answer));
      const { status, text } = answerOf(engine, request, clock.monotonicMs(), answers.get(engine.plan.instance) ?? RIGHT_ANSWER);
      events.head(status, []);
      events.data(new TextEncoder().encode(text));
      events.end();
    };
    let timer = clock.after(request.method === "POST" ? ANSWER_MS : 1, answer);
    return { pause: () => undefined, resume: () => undefined, abort: () => timer.cancel() };
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

const fakeDriver = (lost: ReadonlySet<string>): GpuDriver => ({
  observe: async () =>
    ok(
      [...lost].map((key) => {
        const [node = "", gpu = "0"] = key.split("/");
        return { node: nodeName(node), gpu: Number(gpu), health: "lost" as const, memoryBytes: 80e9, holders: [] };
      }),
    ),
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
