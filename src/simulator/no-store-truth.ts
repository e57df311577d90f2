import { ALL_HOT_KILLED } from "./no-store-faults.ts";
import type { ScheduledEvent } from "./draw-schedule.ts";
import type { LadderView } from "./ladder-view.ts";
import type { Effect, LadderClient } from "./perform-event.ts";
import type { WorldRequest } from "./world-client.ts";
import type { World } from "./world.ts";

/** What stood of a service when the store went away: nothing is added until it is back. */
interface Standing {
  readonly ready: readonly string[];
  /** Asleep, and what gateways may wake as long as moves are left. */
  readonly asleep: readonly string[];
  readonly movesLeft: number;
  readonly woken: Set<string>;
  /** When something of its own was broken, with what must be found and taken back after it. */
  readonly spans: { readonly fromMs: number; readonly toMs: number }[];
  /** From then on nobody knows what its sleeper is good for. */
  unsureFromMs: number;
}

/** Requests that began before a fault may still be open at it. */
const BEFORE_MS = 30_000;
/** Until a fault is found, a wake is over, and what came back is taken back. */
const AFTER_MS = 20_000;
/** Such an end is the platform's own fault: gateways claim engines, also alone. */
const UNCLAIMED = "nobody claimed";

/** What is true while the store is away, from the world itself: who could serve, who was woken, who was started. */
export class OutageTruth {
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  readonly counts = { "wakes in the outage": 0, "refused with nobody left": 0, "served in the outage": 0 };
  readonly #world: World;
  readonly #services = new Map<string, Standing>();
  readonly #diedAtMs = new Map<string, number>();
  readonly #engines: ReadonlySet<string>;
  readonly #frozen = new Set<string>();
  readonly #found: string[] = [];
  readonly #listening: { stop(): void };
  #isOpen = true;

  constructor(world: World, view: LadderView, outageMs: number) {
    this.#world = world;
    this.startedAtMs = view.atMs;
    this.endsAtMs = view.atMs + outageMs;
    this.#engines = new Set(view.engines.map(({ uid, generation }) => `${uid} ${generation}`));
    for (const { name, config, status } of view.services) {
      const named = (state: string): readonly string[] =>
        (status?.instances ?? []).filter((instance) => instance.state === state).map((instance) => instance.name);
      const movesLeft = config.failoverPolicy.maxFailoverCount - (status?.failovers.inWindow ?? 0);
      const standing = { ready: named("Ready"), asleep: named("Asleep"), movesLeft, woken: new Set<string>(), spans: [] };
      this.#services.set(name, { ...standing, unsureFromMs: Number.POSITIVE_INFINITY });
    }
    this.#listening = world.launcher.onExit(({ instance, generation, reason }) => {
      if (!this.#diedAtMs.has(instance)) this.#diedAtMs.set(instance, world.clock.monotonicMs());
      if (reason.startsWith(UNCLAIMED) && !this.#frozen.has(instance))
        this.#wrong("unclaimed", `${instance} generation ${generation} ended: ${reason}`);
    });
    world.log.listen(({ event, fields: { service, instance } }) => {
      if (!this.#isOpen || event !== "gateway.wake-begun") return;
      if (typeof service === "string" && typeof instance === "string") this.#woken(service, instance);
    });
  }

  happened({ event }: ScheduledEvent, effect: Effect): void {
    const nowMs = this.#world.clock.monotonicMs();
    const isGateways = event.kind === "restart-gateway" || (event.kind === "partition" && event.of === "all");
    const span = { fromMs: nowMs - BEFORE_MS, toMs: Math.max(nowMs, effect.untilMs) + AFTER_MS };
    for (const name of isGateways ? this.#services.keys() : effect.services) this.#services.get(name)?.spans.push(span);
    if (event.kind === "freeze" && event.forMs === null)
      for (const instance of effect.instances) {
        this.#frozen.add(instance);
        if (!this.#diedAtMs.has(instance)) this.#diedAtMs.set(instance, nowMs);
      }
    if (event.kind !== "bad-wake" || event === ALL_HOT_KILLED) return;
    for (const name of effect.services) {
      const standing = this.#services.get(name);
      if (standing !== undefined) standing.unsureFromMs = Math.min(standing.unsureFromMs, nowMs - BEFORE_MS);
    }
  }

  /** The outage ends. @returns what must not have been. */
  async close(): Promise<readonly string[]> {
    this.#isOpen = false;
    this.#listening.stop();
    for (const { instance, uid, generation } of await this.#world.launcher.observe())
      if (!this.#engines.has(`${uid} ${generation}`))
        this.#wrong("started", `${instance} generation ${generation}, and no intent is stored`);
    return this.#found;
  }

  /** Whoever could be served was; nobody else was kept waiting without an answer that says when to come again. */
  judge({ service, client }: LadderClient): readonly string[] {
    const standing = this.#services.get(service);
    if (standing === undefined) return [`${service}: it was not there when the store went away`];
    return client.requests.flatMap((request) => {
      const endedAtMs = request.endedAtMs ?? Number.POSITIVE_INFINITY;
      const isOutside = request.startedAtMs < this.startedAtMs || endedAtMs > this.endsAtMs || request.outcome === "left";
      const isShaken = standing.spans.some(({ fromMs, toMs }) => fromMs <= endedAtMs && toMs >= request.startedAtMs);
      if (isOutside || isShaken || endedAtMs > standing.unsureFromMs) return [];
      const wrong = this.#wrongEnd(request, standing);
      return wrong === null ? [] : [`${at(request.startedAtMs)}, ${service}: request ${request.id} ${wrong}`];
    });
  }

  #wrongEnd({ outcome, startedAtMs, retryAfter, text }: WorldRequest, { ready, asleep, movesLeft }: Standing): string | null {
    const lives = (instance: string): boolean => (this.#diedAtMs.get(instance) ?? Number.POSITIVE_INFINITY) > startedAtMs;
    const canServe = ready.some(lives) || (movesLeft > 0 && asleep.some(lives));
    if (canServe) {
      if (outcome === "complete") this.counts["served in the outage"] += 1;
      return outcome === "complete" ? null : `is ${outcome}, and somebody could serve it`;
    }
    this.counts["refused with nobody left"] += 1;
    if (outcome === "refused") return retryAfter === null ? "is refused without Retry-After" : null;
    // A stream that waited long has its head already: its refusal is an event before the first token.
    return outcome === "error-event" && text === "" ? null : `is ${outcome}, and nobody may serve it`;
  }

  #woken(service: string, instance: string): void {
    const standing = this.#services.get(service);
    if (standing === undefined) return;
    this.counts["wakes in the outage"] += 1;
    standing.woken.add(instance);
    if (standing.woken.size > standing.movesLeft)
      this.#wrong("grants", `${instance} is woken, and ${standing.movesLeft} moves were granted`);
  }

  #wrong(what: string, why: string): void {
    this.#found.push(`${at(this.#world.clock.monotonicMs())}, ${what}: ${why}`);
  }
}

const at = (ms: number): string => `${(ms / 1_000).toFixed(3)} s`;
