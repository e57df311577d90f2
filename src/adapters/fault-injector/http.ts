import type { Fault } from "../../api/fault.ts";
import type { EndpointAddress } from "../../api/route-table.ts";
import type { InstanceName } from "../../base/ids.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { FaultInjector } from "../../ports/fault-injector.ts";
import type { Upstream, UpstreamRequest } from "../../ports/upstream.ts";

const TARGET = "/tidegate/faults";
/** The fault port answers from memory; an engine that hangs so badly that it does not is reported, not waited for. */
const ANSWER_WITHIN_MS = 2_000;
const ANSWER_BYTES_MAX = 4_096;

export interface HttpFaultInjectorOptions {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Where an instance answers now; null = it does not run. */
  readonly addressOf: (instance: InstanceName) => EndpointAddress | null;
}

/** Faults through the engines' own fault port, which exists only on engines that were started with faults enabled. */
export function createHttpFaultInjector(options: HttpFaultInjectorOptions): FaultInjector {
  const ask = (target: InstanceName, request: UpstreamRequest): Promise<Answer> => {
    const address = options.addressOf(target);
    if (address === null) return Promise.resolve({ status: null, text: "the instance does not run" });
    return call(options, address, request);
  };
  return {
    async ensure(target, fault, forMs) {
      const body = new TextEncoder().encode(JSON.stringify({ fault, forMs }));
      const answer = await ask(target, { method: "POST", target: TARGET, headers: ["content-type", "application/json"], body });
      return injected(answer, fault);
    },
    async remove(target) {
      // Unreachable is as good: a dead engine has no faults, and a living one's end by themselves.
      await ask(target, { method: "DELETE", target: TARGET, headers: [], body: null });
    },
  };
}

interface Answer {
  /** null = no whole answer came; `text` says why. */
  readonly status: number | null;
  readonly text: string;
}

function injected({ status, text }: Answer, fault: Fault): Result<null, { readonly code: "NOT_INJECTED"; readonly reason: string }> {
  if (status !== null && status < 300) return ok(null);
  // A crash may win against its own answer: the cut connection is what was ordered.
  if (status === null && fault.kind === "crash" && (text === "RESET" || text === "CUT")) return ok(null);
  if (status === 404) return err({ code: "NOT_INJECTED", reason: "the engine was started without --enable-faults" });
  return err({ code: "NOT_INJECTED", reason: status === null ? text : `the engine answered ${status}: ${text.slice(0, 200)}` });
}

function call({ upstream, clock }: HttpFaultInjectorOptions, address: EndpointAddress, request: UpstreamRequest): Promise<Answer> {
  return new Promise((resolve) => {
    const decoder = new TextDecoder();
    let status: number | null = null;
    let text = "";
    const settle = (answer: Answer): void => {
      timer.cancel();
      resolve(answer);
    };
    const running = upstream.call(address, request, {
      head: (answered) => (status = answered),
      data: (lent) => {
        if (text.length < ANSWER_BYTES_MAX) text += decoder.decode(lent, { stream: true });
      },
      end: () => settle({ status, text }),
      failed: ({ code }) => settle({ status: null, text: code }),
    });
    const timer = clock.after(ANSWER_WITHIN_MS, () => {
      running.abort();
      settle({ status: null, text: `no answer within ${ANSWER_WITHIN_MS} ms` });
    });
  });
}
