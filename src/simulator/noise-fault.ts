import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { InstanceStatus, ServiceStatus } from "../api/service-status.ts";
import { assert } from "../base/assert.ts";
import { nodeName } from "../base/ids.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import type { ScheduledEvent } from "./draw-schedule.ts";
import type { HealthyNoise } from "./healthy-noise.ts";
import type { LadderWatch } from "./ladder-checks.ts";
import type { LadderView } from "./ladder-view.ts";
import { inject } from "./perform-event.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { partyOf } from "./world-engine.ts";
import type { World } from "./world.ts";

/** SIGKILL, SIGSTOP, no step any more while health and metrics answer, a GPU off the bus, connections that are reset under a token. */
export const HARD_FAULTS = ["kill", "freeze", "hang", "gpu-lost", "reset"] as const;
export type HardFault = (typeof HARD_FAULTS)[number];

/** From the fault until the gateway has the engine out: the bars of the failover bench (docs/failover-bench.md: sigkill-hot, sigstop-hot, hang). */
export const FOUND_WITHIN_MS: Readonly<Record<HardFault, { readonly p99: number; readonly max: number }>> = {
  kill: { p99: 250, max: 1_000 },
  "gpu-lost": { p99: 250, max: 1_000 },
  reset: { p99: 250, max: 1_000 },
  freeze: { p99: 1_500, max: 1_500 },
  hang: { p99: 2_500, max: 2_500 },
};

/** Who resets streams does so for a moment: it comes back, and must not be out for long. */
export const RESET_FOR_MS = 2_000;
const FOR_MS: Readonly<Record<HardFault, number>> = { kill: 0, freeze: 0, hang: 600_000, "gpu-lost": 5_000, reset: RESET_FOR_MS };
/** The load that comes before it, so that every engine owes answers. */
const BUSY_MS = 10_000;
const STEP_MS = 50;
const LOOK_EVERY_MS = 1_000;
const FOUND_AT_LAST_MS = 20_000;
const WHOLE_WITHIN_MS = 120_000;

export interface HardFaultGround {
  readonly world: World;
  readonly noise: HealthyNoise;
  readonly watch: LadderWatch;
}

export interface MetFault {
  /** Virtual time from which it could be seen. */
  readonly brokenAtMs: number;
  /** From then, or from the end of a pause of the gateway's own that lay between; null = it was not found. */
  readonly foundAfterMs: number | null;
  readonly wrongs: readonly string[];
}

/** Each seed has one; all have their turn. */
export const hardFaultOf = (seed: number): HardFault => HARD_FAULTS[Math.abs(seed) % HARD_FAULTS.length] ?? "kill";

/** Breaks one of the hot engines while it owes answers, and waits until all is whole again. */
export async function injectHardFault(fault: HardFault, ground: HardFaultGround): Promise<MetFault> {
  const { world, watch } = ground;
  const owed = watchOwed(world);
  const outs = watchOuts(world);
  await world.clock.advance(BUSY_MS);
  const victim = await chooseVictim(fault, ground);
  const wrongs = [...outs.atMs].map(([instance, atMs]) => `${seconds(atMs)}, out for nothing: ${instance}`);
  const view = await watch.look();
  assert(view !== null, "the world's store answers those who only look");
  const faultAtMs = world.clock.monotonicMs();
  tellWatch(watch, view, { fault, victim, faultAtMs });
  breakEngine({ world, view }, victim, fault);
  const untilMs = faultAtMs + FOUND_AT_LAST_MS;
  while (!outs.atMs.has(victim.instance) && world.clock.monotonicMs() < untilMs) await world.clock.advance(STEP_MS);
  const foundAtMs = outs.atMs.get(victim.instance) ?? null;
  const seenAtMs = fault === "reset" ? owed.resetAtMs(victim) : owed.sinceMs(victim, faultAtMs);
  const brokenAtMs = seenAtMs ?? faultAtMs;
  wrongs.push(...(await waitUntilWhole(world, watch, fault)));
  outs.stop();
  for (const [instance, atMs] of outs.atMs)
    if (instance !== victim.instance && atMs >= faultAtMs)
      wrongs.push(`${seconds(atMs)}, out for nothing: ${instance}, in a ${fault} of another`);
  const foundAfterMs = foundAtMs === null ? null : Math.max(0, foundAtMs - afterPause(brokenAtMs, foundAtMs, ground.noise));
  if (foundAfterMs === null) wrongs.push(`${seconds(faultAtMs)}, not found: ${fault} of ${victim.instance}`);
  else if (foundAfterMs > FOUND_WITHIN_MS[fault].max)
    wrongs.push(`${seconds(faultAtMs)}, found late: ${fault} of ${victim.instance} after ${Math.round(foundAfterMs)} ms`);
  return { brokenAtMs, foundAfterMs, wrongs };
}

/** Who stood still itself saw nothing, and judges nobody by what it missed: its time counts from the end of its pause. */
const afterPause = (brokenAtMs: number, foundAtMs: number, noise: HealthyNoise): number =>
  Math.max(brokenAtMs, noise.gatewayBackBefore(foundAtMs) ?? brokenAtMs);

/** Checkers must know of whom something is broken. */
function tellWatch(
  watch: LadderWatch,
  view: LadderView,
  { fault, victim, faultAtMs }: { readonly fault: HardFault; readonly victim: RunningEngine; readonly faultAtMs: number },
): void {
  const scheduled: ScheduledEvent = { index: 1, className: fault, atMs: faultAtMs, event: { kind: "kill", count: 1 }, aim: 0 };
  const services = view.services.map(({ name }) => name);
  const untilMs = faultAtMs + Math.max(FOUND_AT_LAST_MS, FOR_MS[fault]);
  watch.happened(scheduled, { services, instances: [victim.instance], untilMs, excused: [], wrongs: [] }, view);
}

/** One that serves; a hang of one whose metrics are missing anyway is no single fault. */
async function chooseVictim(fault: HardFault, { world, noise }: HardFaultGround): Promise<RunningEngine> {
  const isFit = ({ instance }: RunningEngine): boolean => instance.includes("-hot-") && !(fault === "hang" && noise.isInGap(instance));
  const random = world.chance("fault");
  for (let waitedMs = 0; waitedMs < WHOLE_WITHIN_MS; waitedMs += STEP_MS) {
    const fit = (await world.launcher.observe()).filter(isFit);
    const victim = fit[Math.floor(random.next() * fit.length)];
    // Not at a round time: between two steps, in the middle of a chunk, before a head.
    await world.clock.advance(random.next() * STEP_MS);
    if (victim !== undefined) return victim;
  }
  throw new Error("Broken assumption: a hot engine is fit for a fault within two minutes.");
}

function breakEngine({ world, view }: { readonly world: World; readonly view: LadderView }, victim: RunningEngine, fault: HardFault): void {
  const forMs = FOR_MS[fault];
  switch (fault) {
    case "kill":
      assert(world.launcher.kill(victim.instance, "SIGKILL"), "the victim is killed");
      return;
    case "freeze":
      return world.pause(partyOf(victim.instance, victim.generation));
    case "hang":
      return inject(world, victim, { fault: { kind: "hang" }, forMs });
    case "reset":
      return inject(world, victim, { fault: { kind: "reset", afterTokens: 1 }, forMs });
    case "gpu-lost": {
      const members = view.services.flatMap(({ status }) => status?.instances ?? []).find(({ name }) => name === victim.instance)?.members;
      assert(members !== undefined, "the victim is one of the service's instances");
      for (const { node, gpu } of members)
        world.account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", node: nodeName(node), gpu }, forMs);
    }
  }
}

interface Outs {
  /** When each instance was first out: for the gateway, or in the status that its next table is made from. */
  readonly atMs: ReadonlyMap<string, number>;
  stop(): void;
}

function watchOuts(world: World): Outs {
  const atMs = new Map<string, number>();
  const out = (instance: string): void => {
    if (!atMs.has(instance)) atMs.set(instance, world.clock.monotonicMs());
  };
  world.log.listen(({ event, fields: { instance } }) => {
    if (event === "gateway.ejected" && typeof instance === "string") out(instance);
  });
  const watching = world.store.watch(({ kind, name }) => {
    if (kind === "HotStandbyConfig")
      void statusOf(world, name).then((status) => status?.instances.filter(isOut).forEach((one) => out(one.name)));
  });
  return { atMs, stop: () => watching.stop() };
}

const isOut = ({ level, state }: InstanceStatus): boolean => level === "hot" && state !== "Ready";

async function statusOf(world: World, name: string): Promise<ServiceStatus | null> {
  const stored = await world.store.get("HotStandbyConfig", name);
  const parsed = stored.ok && stored.value.status !== null ? parseServiceStatus(stored.value.status) : null;
  return parsed !== null && parsed.ok ? parsed.value : null;
}

interface Owed {
  /** When that engine first owed an answer, at `fromMs` or after; null = it was asked nothing. */
  sinceMs(engine: RunningEngine, fromMs: number): number | null;
  /** When an answer of that engine's first ended in a reset. */
  resetAtMs(engine: RunningEngine): number | null;
}

interface Asked {
  readonly to: unknown;
  readonly atMs: number;
  endedAtMs: number;
}

/** From the network's own words: the gateway's questions for tokens, from now on. */
function watchOwed(world: World): Owed {
  const calls = new Map<unknown, Asked>();
  const resets = new Map<unknown, number>();
  world.log.listen(({ event, fields: { call, to, target, code } }) => {
    const atMs = world.clock.monotonicMs();
    if (event === "network.call" && target === "/v1/chat/completions") calls.set(call, { to, atMs, endedAtMs: Number.POSITIVE_INFINITY });
    if (event !== "network.end" && event !== "network.failed" && event !== "network.abort") return;
    const asked = calls.get(call);
    if (asked === undefined) return;
    asked.endedAtMs = atMs;
    // Who resets connections ends some of them by a FIN in the middle of an answer.
    if ((code === "RESET" || code === "CUT") && !resets.has(asked.to)) resets.set(asked.to, atMs);
  });
  return {
    sinceMs: (engine, fromMs) => {
      const owed = [...calls.values()].filter(({ to, endedAtMs }) => to === addressOf(engine) && endedAtMs >= fromMs);
      return owed.length === 0 ? null : Math.max(fromMs, Math.min(...owed.map(({ atMs }) => atMs)));
    },
    resetAtMs: (engine) => resets.get(addressOf(engine)) ?? null,
  };
}

const addressOf = ({ address }: RunningEngine): string => `${address.host}:${address.port}`;

/** @returns what keeps it from that, if anything does after the bound. */
async function waitUntilWhole(world: World, watch: LadderWatch, fault: HardFault): Promise<string[]> {
  const untilMs = world.clock.monotonicMs() + WHOLE_WITHIN_MS;
  for (;;) {
    await world.clock.advance(LOOK_EVERY_MS);
    const view = await watch.look();
    const why = view === null ? "nothing is stored" : wholeness(view);
    if (why === null) return [];
    if (world.clock.monotonicMs() >= untilMs) return [`${seconds(world.clock.monotonicMs())}, not whole after ${fault}: ${why}`];
  }
}

const wholeness = (view: LadderView): string | null =>
  view.services.map((service) => whyNotWhole(service, view.records)).find((why) => why !== null) ?? null;
const seconds = (atMs: number): string => `${(atMs / 1_000).toFixed(3)} s`;
