import type { ServiceStatus } from "../api/service-status.ts";
import { judgeScenario } from "./judge-scenario.ts";
import { printEvent } from "./print-scenario.ts";
import type { ClientEvent, Scenario, ScenarioEvent } from "./scenario.ts";
import { sendBadRequest, sendHangUp } from "./scenario-clients.ts";
import type { ScenarioReport, Unmet } from "./scenario-report.ts";
import type { ScenarioStage } from "./scenario-stage.ts";
import { ServiceWatch, whyNotAsConfigured } from "./scenario-watch.ts";
import { WorldClient, type WorldRequest } from "./world-client.ts";

const LOOK_EVERY_MS = 100;
const READY_WITHIN_MS = 60_000;
/** Longer than any queue of the ladder: what is open then never ends. */
const ENDED_WITHIN_MS = 45_000;

/** Plays a scenario on a stage and judges it. The stage is stopped, whatever happens. */
export async function runScenario(scenario: Scenario, stage: ScenarioStage, name: string): Promise<ScenarioReport> {
  const play = new Play(scenario, stage);
  let leftovers: readonly string[] = [];
  try {
    await play.run();
  } finally {
    leftovers = await stage.stop();
  }
  return play.report(name, leftovers);
}

class Play {
  readonly #scenario: Scenario;
  readonly #stage: ScenarioStage;
  readonly #watches: ReadonlyMap<string, ServiceWatch>;
  readonly #clients: { readonly service: string; readonly client: WorldClient }[] = [];
  readonly #troubles: Unmet[] = [];
  readonly #untilMs: { readonly atMs: number; readonly stop: () => void }[] = [];
  #records: Awaited<ReturnType<ScenarioStage["records"]>> = [];
  #fromMs: number | null = null;
  #loadEndsAtMs = 0;
  #faultsEndMs = 0;
  #wholeAfterMs: number | null = null;
  #notWhole: string | null = null;

  constructor(scenario: Scenario, stage: ScenarioStage) {
    this.#scenario = scenario;
    this.#stage = stage;
    this.#watches = new Map(scenario.services.map((service) => [service.name, new ServiceWatch(service)]));
  }

  async run(): Promise<void> {
    const notReady = await this.#until(READY_WITHIN_MS, () => this.#whyNotWhole());
    if (notReady !== null) {
      this.#trouble("the platform starts", notReady);
      return;
    }
    for (const { service, perSecond } of this.#scenario.loads) await this.#startLoad(service, perSecond);
    await this.#playEvents(this.#stage.nowMs());
    for (const { client } of this.#clients) client.stop();
    this.#loadEndsAtMs = this.#stage.nowMs();
    await this.#stage.wait(Math.max(0, this.#faultsEndMs - this.#stage.nowMs()));
    await this.#settle();
    this.#records = await this.#stage.records();
  }

  report(name: string, leftovers: readonly string[]): ScenarioReport {
    for (const leftover of leftovers) this.#trouble("nothing is left open", leftover);
    const requests = new Map<string, readonly WorldRequest[]>();
    for (const { service, client } of this.#clients) requests.set(service, [...(requests.get(service) ?? []), ...client.requests]);
    const evidence = {
      requests,
      seen: new Map([...this.#watches].map(([service, watch]) => [service, watch.seen])),
      records: this.#records,
      fromMs: this.#fromMs ?? this.#loadEndsAtMs,
      loadEndsAtMs: this.#loadEndsAtMs,
      wholeAfterMs: this.#wholeAfterMs,
      notWhole: this.#notWhole,
      troubles: this.#troubles,
    };
    return judgeScenario(this.#scenario, evidence, { name, world: this.#stage.world });
  }

  async #playEvents(startMs: number): Promise<void> {
    const stage = this.#stage;
    const waiting = [...this.#scenario.events];
    const endMs = startMs + this.#scenario.runMs;
    if (waiting.length === 0) this.#fromMs = startMs;
    await this.#look();
    for (;;) {
      for (let next = waiting[0]; next !== undefined && startMs + next.atMs <= stage.nowMs(); next = waiting[0]) {
        waiting.shift();
        this.#fromMs ??= stage.nowMs();
        await this.#perform(next.event);
      }
      for (const surge of this.#untilMs) if (surge.atMs <= stage.nowMs()) surge.stop();
      if (stage.nowMs() >= endMs) return;
      const nextMs = Math.min(endMs, ...waiting.slice(0, 1).map(({ atMs }) => startMs + atMs));
      await stage.wait(Math.max(1, Math.min(LOOK_EVERY_MS, nextMs - stage.nowMs())));
      await this.#look();
    }
  }

  async #perform(event: ScenarioEvent): Promise<void> {
    if ("forMs" in event) this.#faultsEndMs = Math.max(this.#faultsEndMs, this.#stage.nowMs() + event.forMs);
    if (event.kind === "surge") {
      const client = await this.#startLoad(event.service, event.perSecond);
      this.#untilMs.push({ atMs: this.#stage.nowMs() + event.forMs, stop: () => client.stop() });
    } else if (isOfClients(event)) {
      const { ports, load } = await this.#stage.clientOf(event.service, `${event.kind} of ${event.service}`);
      const send = event.kind === "hang-ups" ? sendHangUp : sendBadRequest;
      for (let index = 0; index < event.count; index += 1) send(ports.upstream, load, (found) => this.#trouble(printEvent(event), found));
    } else {
      const why = await this.#stage.perform(event);
      if (why !== null) this.#trouble(printEvent(event), why);
    }
  }

  /** Until everything has ended, and is as configured where that is expected. */
  async #settle(): Promise<void> {
    const startMs = this.#stage.nowMs();
    const bound = this.#scenario.expectations.find(({ expectation }) => expectation.kind === "whole")?.expectation;
    if (bound?.kind === "whole") {
      this.#notWhole = await this.#until(bound.withinMs, () => this.#whyNotWhole());
      if (this.#notWhole === null) this.#wholeAfterMs = this.#stage.nowMs() - startMs;
    }
    // What is still open is counted as such.
    await this.#until(ENDED_WITHIN_MS, async () => (this.#clients.some(({ client }) => client.openCount > 0) ? "open" : null));
  }

  async #startLoad(service: string, requestsPerSecond: number): Promise<WorldClient> {
    const { ports, load } = await this.#stage.clientOf(service, `client ${this.#clients.length + 1} of ${service}`);
    const client = new WorldClient(ports, { ...load, requestsPerSecond });
    this.#clients.push({ service, client });
    return client;
  }

  async #look(): Promise<ReadonlyMap<string, ServiceStatus> | null> {
    const statuses = await this.#stage.statuses();
    for (const [service, watch] of this.#watches) {
      const status = statuses?.get(service);
      if (status !== undefined && this.#clients.length > 0) watch.look(status);
    }
    return statuses;
  }

  async #whyNotWhole(): Promise<string | null> {
    const statuses = await this.#look();
    if (statuses === null) return "nobody tells the status";
    const reasons = this.#scenario.services.map((service) => whyNotAsConfigured(service, statuses.get(service.name) ?? null));
    return reasons.find((reason) => reason !== null) ?? null;
  }

  /** @returns the last reason why not; null = it holds. */
  async #until(withinMs: number, whyNot: () => Promise<string | null>): Promise<string | null> {
    const deadlineMs = this.#stage.nowMs() + withinMs;
    for (;;) {
      const reason = await whyNot();
      if (reason === null || this.#stage.nowMs() >= deadlineMs) return reason;
      await this.#stage.wait(LOOK_EVERY_MS);
    }
  }

  #trouble(expected: string, found: string): void {
    this.#troubles.push({ expected, planted: null, found });
  }
}

const isOfClients = (event: ScenarioEvent): event is ClientEvent => event.kind === "bad-requests" || event.kind === "hang-ups";
