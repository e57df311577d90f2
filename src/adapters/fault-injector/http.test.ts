import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceName } from "../../base/ids.ts";
import type { FaultInjector } from "../../ports/fault-injector.ts";
import type { CallEvents, Upstream, UpstreamRequest } from "../../ports/upstream.ts";
import { createSimulatedClock } from "../clock/simulated.ts";
import { createHttpFaultInjector } from "./http.ts";

const HOT = instanceName("hot-1");
const ADDRESS = { host: "127.0.0.1", port: 40_001 };

/** An injector over an engine that does as told, and what it was asked. */
function rig(engine: (events: CallEvents) => void): {
  readonly injector: FaultInjector;
  readonly asked: string[];
  readonly pass: (durationMs: number) => Promise<void>;
} {
  const asked: string[] = [];
  const clock = createSimulatedClock();
  const upstream: Upstream = {
    call(to, request, events) {
      asked.push(`${request.method} ${to.port}${request.target} ${bodyOf(request)}`.trim());
      clock.after(1, () => engine(events));
      return { pause: () => undefined, resume: () => undefined, abort: () => void asked.push("abort") };
    },
  };
  const injector = createHttpFaultInjector({ upstream, clock, addressOf: (instance) => (instance === HOT ? ADDRESS : null) });
  return { injector, asked, pass: (durationMs) => clock.advance(durationMs) };
}
const bodyOf = ({ body }: UpstreamRequest): string => (body === null ? "" : new TextDecoder().decode(body));

const answers =
  (status: number, text: string) =>
  (events: CallEvents): void => {
    events.head(status, []);
    events.data(new TextEncoder().encode(text));
    events.end();
  };

test("a fault is ordered from the engine with its end, and taken back by DELETE", async () => {
  const { injector, asked, pass } = rig(answers(200, "{}"));
  const ensured = injector.ensure(HOT, { kind: "slow", factor: 5 }, 3_000);
  await pass(1);
  assert.deepEqual(await ensured, { ok: true, value: null });
  const removed = injector.remove(HOT);
  await pass(1);
  await removed;
  assert.deepEqual(asked, ['POST 40001/tidegate/faults {"fault":{"kind":"slow","factor":5},"forMs":3000}', "DELETE 40001/tidegate/faults"]);
});

test("a fault on an instance that does not run is NOT_INJECTED without a call", async () => {
  const { injector, asked } = rig(answers(200, ""));
  const refused = await injector.ensure(instanceName("hot-9"), { kind: "hang" }, 1_000);
  assert.deepEqual(refused, { ok: false, error: { code: "NOT_INJECTED", reason: "the instance does not run" } });
  await injector.remove(instanceName("hot-9"));
  assert.deepEqual(asked, []);
});

const refusals: { readonly name: string; readonly engine: (events: CallEvents) => void; readonly reason: RegExp }[] = [
  { name: "an engine without a fault port says how to get one", engine: answers(404, ""), reason: /--enable-faults/ },
  { name: "an engine that refuses the fault is quoted", engine: answers(400, "factor is too small"), reason: /400: factor is too small/ },
  { name: "a broken connection is told", engine: (events) => events.failed({ code: "RESET", sent: "all" }), reason: /RESET/ },
];
for (const { name, engine, reason } of refusals) {
  test(`a fault is NOT_INJECTED: ${name}`, async () => {
    const { injector, pass } = rig(engine);
    const ensured = injector.ensure(HOT, { kind: "hang" }, 1_000);
    await pass(1);
    const refused = await ensured;
    assert.match(refused.ok ? "injected" : refused.error.reason, reason);
  });
}

test("an engine that dies of the ordered crash before it answers has crashed as ordered", async () => {
  const { injector, pass } = rig((events) => events.failed({ code: "CUT", sent: "all" }));
  const ensured = injector.ensure(HOT, { kind: "crash" }, 1_000);
  await pass(1);
  assert.deepEqual(await ensured, { ok: true, value: null });
});

test("an engine whose fault port is silent for 2 s is given up and its call aborted", async () => {
  const { injector, asked, pass } = rig(() => undefined);
  const ensured = injector.ensure(HOT, { kind: "hang" }, 1_000);
  await pass(2_000);
  const refused = await ensured;
  assert.match(refused.ok ? "injected" : refused.error.reason, /no answer within 2000 ms/);
  assert.equal(asked.at(-1), "abort");
});
