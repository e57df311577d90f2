import type { EndpointAddress } from "../api/route-table.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import { err, ok } from "../base/result.ts";
import type { Clock } from "../ports/clock.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import { NO_DIRT, type GpuDriver } from "../ports/gpu-driver.ts";
import type { CallFailure, Upstream } from "../ports/upstream.ts";
import type { EnginePorts } from "./call-engine.ts";

// For tests of the steps: one engine whose every answer is a function of the request and the time.

export type FakeAnswer =
  | { readonly status: number; readonly text: string; readonly afterMs?: number }
  | { readonly fails: CallFailure["code"] }
  | "silence";
export type FakeAnswers = (request: { readonly target: string; readonly body: string | null }, nowMs: number) => FakeAnswer;

export const FAKE_ADDRESS: EndpointAddress = { host: "127.0.0.1", port: 40_001 };

export interface FakeEngine {
  readonly ports: EnginePorts & { readonly launcher: EngineLauncher; readonly driver: Pick<GpuDriver, "observe"> };
  /** `GET /health` and so on, in the order asked. */
  readonly asked: readonly string[];
  /** Calls that were given up before their answer. */
  readonly aborted: readonly string[];
  /** Launcher calls: `ensure`, `remove 2000`. */
  readonly launched: readonly string[];
}

interface FakeHolds {
  readonly held?: (nowMs: number) => number | null;
  /** Whoever holds it is dead. */
  readonly areGone?: boolean;
}

/** @param held what the driver shows of `gold-hot-1` at that time; null = the driver is away. */
export function createFakeEngine(
  clock: Clock,
  answers: FakeAnswers,
  options: FakeHolds & { readonly isLaunchable?: boolean } = {},
): FakeEngine {
  const asked: string[] = [];
  const aborted: string[] = [];
  const launched: string[] = [];
  const upstream: Upstream = {
    call(_to, request, events) {
      const name = `${request.method} ${request.target}`;
      asked.push(name);
      const body = request.body === null ? null : new TextDecoder().decode(request.body);
      const answer = answers({ target: request.target, body }, clock.monotonicMs());
      let isOpen = true;
      const settle = (): void => {
        if (!isOpen || answer === "silence") return;
        isOpen = false;
        if ("fails" in answer) return events.failed({ code: answer.fails, sent: "none" });
        events.head(answer.status, []);
        events.data(new TextEncoder().encode(answer.text));
        events.end();
      };
      const timer = clock.after(typeof answer === "object" && "afterMs" in answer ? (answer.afterMs ?? 1) : 1, settle);
      return {
        pause: () => undefined,
        resume: () => undefined,
        abort() {
          if (isOpen) aborted.push(name);
          isOpen = false;
          timer.cancel();
        },
      };
    },
  };
  const launcher: EngineLauncher = {
    observe: async () => [],
    async ensure({ instance, uid, generation }) {
      launched.push("ensure");
      if (options.isLaunchable === false) return err({ code: "LAUNCH_FAILED", instance, reason: "no file" });
      return ok({ instance, uid, generation, address: FAKE_ADDRESS, pid: 1 });
    },
    async remove(_instance, graceMs) {
      launched.push(`remove ${graceMs}`);
    },
    machineOf: (node) => node,
    onExit: () => ({ stop: () => undefined }),
  };
  const driver = fakeDriver(clock, options);
  return { ports: { upstream, clock, launcher, driver, claim: "state-1" }, asked, aborted, launched };
}

function fakeDriver(clock: Clock, { held = () => 0, areGone = false }: FakeHolds): Pick<GpuDriver, "observe"> {
  const state = areGone ? ("gone" as const) : ("awake" as const);
  return {
    async observe() {
      const usedBytes = held(clock.monotonicMs());
      if (usedBytes === null) return err({ code: "DRIVER_UNAVAILABLE", reason: "away" });
      const holders = usedBytes === 0 ? [] : [{ instance: instanceName("gold-hot-1"), pid: 1, usedBytes, state, compute: null }];
      return ok([{ node: nodeName("gpu-a"), gpu: 0, health: "ok", memoryBytes: 80e9, holders, ...NO_DIRT }]);
    },
  };
}

export const metricsPage = (steps: number, running: number): string =>
  `vllm:iteration_tokens_total_count ${steps}\nvllm:num_requests_running ${running}\nvllm:num_requests_waiting 0\n`;
export const completion = (text: string): string => JSON.stringify({ choices: [{ text }] });
