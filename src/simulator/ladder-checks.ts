import type { ServiceStatus } from "../api/service-status.ts";
import type { EngineExit } from "../ports/engine-launcher.ts";
import { checkFailback } from "./check-failback.ts";
import { checkExclusiveGpus, checkGpuMemory } from "./check-gpus.ts";
import { checkDeadWeight, checkGenerations, checkWeights } from "./check-instances.ts";
import { checkHold, checkLadder, checkMoveCount } from "./check-moves.ts";
import { checkRecords } from "./check-records.ts";
import { judgeRequests } from "./check-requests.ts";
import { judgeRto } from "./check-rto.ts";
import type { LadderChecker, Violation } from "./checker.ts";
import { CoverageCounter } from "./coverage.ts";
import type { ScheduledEvent } from "./draw-schedule.ts";
import { createLadderEyes, type LadderView, type ServiceView } from "./ladder-view.ts";
import type { Effect } from "./perform-event.ts";
import { ShakenTimes } from "./shaken-times.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import type { WorldRequest } from "./world-client.ts";
import type { World } from "./world.ts";

export const createLadderCheckers = (): readonly LadderChecker[] => [
  checkGpuMemory(),
  checkExclusiveGpus(),
  checkWeights(),
  checkDeadWeight(),
  checkGenerations(),
  checkLadder(),
  checkMoveCount(),
  checkHold(),
  checkFailback(),
  checkRecords(),
];

/** Ends of engines that only a wrong caller brings about. */
const WRONG_ENDS = ["a request came while the engine was asleep", "sleep was asked for while a request ran"];

/** All requests of a service, whoever sent them: what a record says of its worst must have been seen by one of them. */
export interface JudgedClient {
  readonly service: string;
  readonly party: string;
  readonly client: { readonly requests: readonly WorldRequest[] };
}

/** Looks at one world from its start to its end; collects what must never be, and what was seen. */
export class LadderWatch {
  readonly coverage = new CoverageCounter();
  readonly #world: World;
  readonly #checkers: readonly LadderChecker[];
  readonly #performed: ScheduledEvent[] = [];
  readonly #eyes: { look(): Promise<LadderView | null> };
  readonly #found = new Map<string, Violation>();
  readonly #shaken = new ShakenTimes();
  readonly #excused = new Set<WorldRequest>();
  readonly #revisions = new Map<string, Set<string>>();
  readonly #statuses = new Map<string, ServiceStatus>();
  readonly #stops: (() => void)[] = [];

  /** Looks after every stored change of a service or a record; `look` does so at any other time. */
  constructor(world: World, checkers: readonly LadderChecker[]) {
    this.#world = world;
    this.#checkers = checkers;
    this.#eyes = createLadderEyes(world, this.#performed);
    const watching = world.store.watch(({ kind }) => {
      if (kind === "HotStandbyConfig" || kind === "FailoverRecord") void this.look();
    });
    const listening = world.launcher.onExit((exit) => this.#ended(exit));
    this.#stops.push(
      () => watching.stop(),
      () => listening.stop(),
    );
  }

  get violations(): readonly Violation[] {
    return [...this.#found.values()].toSorted((left, right) => left.atMs - right.atMs);
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  /** @returns what it saw; null = the store did not answer. */
  async look(): Promise<LadderView | null> {
    const view = await this.#eyes.look();
    if (view === null) return null;
    for (const checker of this.#checkers) {
      for (const wrong of checker.look(view)) this.add({ atMs: view.atMs, checker: checker.name, ...wrong });
    }
    for (const service of view.services) this.#see(service, view);
    return view;
  }

  /** The same thing is said once. */
  add(violation: Violation): void {
    const key = `${violation.checker} ${violation.whom} ${violation.what}`;
    if (!this.#found.has(key)) this.#found.set(key, violation);
  }

  /** @param view from before it. */
  happened(scheduled: ScheduledEvent, effect: Effect, view: LadderView): void {
    const { className } = scheduled;
    const { atMs } = view;
    this.#performed.push(scheduled);
    for (const request of effect.excused) this.#excused.add(request);
    for (const wrong of effect.wrongs) this.add({ atMs, checker: className, ...wrong });
    for (const service of effect.services) this.#shaken.shake(service, atMs, effect.untilMs);
    this.coverage.count("fault classes", className);
    if (scheduled.event.kind === "crash-control-plane")
      this.coverage.count("crash points", `${scheduled.event.point} a write to the store`);
    const instances = view.services.flatMap(({ status }) => status?.instances ?? []);
    for (const name of effect.instances) {
      const state = instances.find((instance) => instance.name === name)?.state ?? "unknown";
      this.coverage.count("instance state x event", `${state} x ${className}`);
    }
    for (const { name, status } of view.services) {
      if (effect.services.includes(name)) this.coverage.count("service phase x event", `${status?.phase ?? "none"} x ${className}`);
    }
  }

  /** When nothing happens any more: requests and records against each other. */
  judge(clients: readonly JudgedClient[], view: LadderView): void {
    for (const service of view.services) {
      const { name } = service;
      const asking = clients.filter((one) => one.service === name);
      const requests = asking.flatMap(({ client }) => client.requests);
      const revisions = this.#revisions.get(name) ?? new Set<string>();
      const court = { model: service.config.model.name, revisions, excused: this.#excused, shaken: this.#shaken };
      for (const { party, client } of asking) {
        for (const violation of judgeRequests(client.requests, { ...court, service: name, party })) this.add(violation);
      }
      const evidence = { service, records: view.records, requests, atMs: view.atMs, wallOffsetMs: view.wallMs - view.atMs };
      for (const violation of judgeRto(evidence)) this.add(violation);
      for (const { outcome, servedFrom } of requests) this.coverage.count("outcomes by rung", `${outcome} from ${servedFrom ?? "no rung"}`);
    }
  }

  #see(service: ServiceView, view: LadderView): void {
    const { name, status } = service;
    const revisions = this.#revisions.get(name) ?? new Set<string>();
    this.#revisions.set(name, revisions.add(service.config.model.revision));
    // What is stored is the truth only as long as somebody looks and writes it down.
    this.#shaken.see(name, view.atMs, () => view.isControlled && whyNotWhole(service, view.records) === null);
    const before = this.#statuses.get(name);
    if (status === null || status === before) return;
    this.#statuses.set(name, status);
    if (before === undefined) return;
    if (before.level !== status.level) {
      const cause = status.openMove?.epoch === status.epoch ? status.openMove.cause : "no record";
      this.coverage.count("moves", `${before.level} to ${status.level}, ${cause}`);
    }
    for (const { name: instance, state } of status.instances) {
      const was = before.instances.find((one) => one.name === instance)?.state ?? "none";
      if (was !== state) this.coverage.count("instance states", `${was} to ${state}`);
    }
  }

  #ended({ instance, generation, reason }: EngineExit): void {
    if (!WRONG_ENDS.includes(reason)) return;
    this.add({
      atMs: this.#world.clock.monotonicMs(),
      checker: "asleep",
      whom: `${instance} generation ${generation}`,
      what: `ended: ${reason}`,
    });
  }
}
