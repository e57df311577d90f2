import type { Fault } from "../api/fault.ts";
import { instanceName, nodeName, type InstanceName } from "../base/ids.ts";
import { serviceOfInstance } from "../failover/desired-instances.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import type { Wrong } from "./checker.ts";
import type { ScheduledEvent } from "./draw-schedule.ts";
import type { LadderEvent, Place } from "./ladder-event.ts";
import type { LadderView } from "./ladder-view.ts";
import { LOOPBACK, type LinkQuality } from "./network.ts";
import type { Operator } from "./operator.ts";
import type { WorldClient, WorldRequest } from "./world-client.ts";
import { CONTROL_PLANE } from "./world-control-plane.ts";
import { partyOf } from "./world-engine.ts";
import { gatewayName } from "./world-gateway.ts";
import type { World } from "./world.ts";

/** A client's party on the network, the service that it asks, and at which gateway. */
export interface LadderClient {
  readonly service: string;
  readonly party: string;
  readonly gateway: string;
  readonly client: WorldClient;
}

export interface EventGround {
  readonly world: World;
  /** Taken just before. */
  readonly view: LadderView;
  readonly clients: readonly LadderClient[];
  readonly operator: Operator;
  readonly places: readonly Place[];
}

/** Whom an event met. */
export interface Effect {
  /** Services that have something of their own broken, or moved by an operator. */
  readonly services: readonly string[];
  readonly instances: readonly string[];
  /** Virtual time at which nothing of it is left but what it broke. */
  readonly untilMs: number;
  /** Requests that may end without a word: what a dead gateway had in hand ends as its connections do. */
  readonly excused: readonly WorldRequest[];
  readonly wrongs: readonly Wrong[];
}

const CRASH_WITHIN_MS = 3_000;
/** An order to an engine has arrived. */
const ORDER_MS = 5;
/** An engine that stands still is found by its silence, or by the heartbeat that it does not answer. */
const SILENCE_FOUND_MS = 15_000;

export async function performEvent({ event, aim, index }: ScheduledEvent, ground: EventGround): Promise<Effect> {
  const { world, view, clients } = ground;
  const engines = view.engines.toSorted((left, right) => (left.instance < right.instance ? -1 : 1));
  const victim = engines[Math.floor(aim * engines.length)] ?? null;
  const nowMs = world.clock.monotonicMs();
  const met = { ...NOTHING, untilMs: "forMs" in event && event.forMs !== null ? nowMs + event.forMs : nowMs };
  const service = view.services[Math.floor(aim * view.services.length)]?.name ?? "";
  const client = clients[Math.floor(aim * clients.length)] ?? null;
  const gateway = gatewayOf(world, aim);
  world.log.record({
    level: "info",
    event: "ladder.event",
    fields: { atMs: nowMs, index, kind: event.kind, victim: victim?.instance ?? null, gateway },
  });
  switch (event.kind) {
    case "kill":
    case "freeze":
    case "engine-fault":
    case "bad-wake":
    case "partition":
    case "bad-link": {
      const hit = await hitEngines(event, { world, engines, victim, gateway, aim });
      const isForGood = event.kind === "freeze" && event.forMs === null;
      return { ...met, ...whose(hit), untilMs: isForGood ? nowMs + SILENCE_FOUND_MS : met.untilMs };
    }
    case "gpu-lost":
    case "zone-lost":
      return { ...met, ...loseGpus(event, ground) };
    case "xid":
    case "slow-teardown":
    case "die-slowly":
      return { ...met, ...harmGpus(event, { world, view, victim, aim }) };
    case "crash-control-plane":
    case "restart-gateway":
    case "store-fault":
    case "pause":
    case "cut-planes":
      return { ...met, ...(await hitPlanes(event, { gateway, world, clients })) };
    case "bad-client-link":
      if (client === null) return met;
      setLinkFor(world, [client.gateway, client.party], event);
      return { ...met, services: [client.service] };
    case "clients-gone":
      client?.client.leave(Math.ceil(event.share * client.client.openCount));
      return met;
    case "operator":
    case "rollout":
    case "policy":
    case "bad-config":
      return { ...met, ...(await order(event, { service, index, ground })) };
  }
}

/** By another digit of the same number than the one that chooses an engine: any gateway meets any of them. */
function gatewayOf({ gateways }: World, aim: number): string {
  const at = Math.floor(((aim * 1_000) % 1) * gateways.length);
  return gateways[at]?.name ?? gatewayName(0);
}

type PlaneEvent = Extract<LadderEvent, { kind: "crash-control-plane" | "restart-gateway" | "store-fault" | "pause" | "cut-planes" }>;

/** What befalls the platform's own processes and the ways between them: no tenant has anything of its own broken. */
async function hitPlanes(
  event: PlaneEvent,
  { gateway, world, clients }: Pick<EventGround, "world" | "clients"> & { readonly gateway: string },
): Promise<Partial<Effect>> {
  switch (event.kind) {
    case "crash-control-plane":
      await world.crashControlPlane(event.point, CRASH_WITHIN_MS);
      return {};
    case "restart-gateway": {
      const excused = clients.filter((one) => one.gateway === gateway).flatMap((one) => one.client.openRequests);
      await world.restartGateway(gateway);
      return { excused };
    }
    case "store-fault":
      world.faultStore(event.faults, event.forMs);
      return {};
    case "pause": {
      const party = event.of === "gateway" ? gateway : CONTROL_PLANE;
      world.pause(party);
      world.clock.after(event.forMs, () => world.resume(party));
      return {};
    }
    case "cut-planes":
      world.cutLink(gateway);
      world.clock.after(event.forMs, () => world.restoreLink(gateway));
      return {};
  }
}

type Order = Extract<LadderEvent, { kind: "operator" | "rollout" | "policy" | "bad-config" }>;

/** What people do at the admin door. */
async function order(
  event: Order,
  { service, index, ground }: { readonly service: string; readonly index: number; readonly ground: EventGround },
): Promise<Partial<Effect>> {
  const { operator } = ground;
  switch (event.kind) {
    case "operator":
      await operator.ask(service, event.action, event.to);
      return { services: event.action === "resume" ? [] : [service] };
    case "rollout":
      await operator.change(service, (spec) => ({ ...spec, model: { ...groupOf(spec["model"]), revision: `r1-${index}` } }));
      return { services: [service] };
    case "policy": {
      const { maxFailoverCount } = event;
      await operator.change(service, (spec) => ({ ...spec, failoverPolicy: { ...groupOf(spec["failoverPolicy"]), maxFailoverCount } }));
      return {};
    }
    case "bad-config":
      return { wrongs: await refuseConfig(event, service, ground) };
  }
}

const NOTHING: Omit<Effect, "untilMs"> = { services: [], instances: [], excused: [], wrongs: [] };
const groupOf = (value: unknown): object => (typeof value === "object" && value !== null ? value : {});

const whose = (engines: readonly Pick<RunningEngine, "instance">[]): Pick<Effect, "services" | "instances"> => ({
  instances: engines.map(({ instance }) => instance),
  services: engines.flatMap(({ instance }) => serviceOfInstance(instance) ?? []),
});

type EngineEvent = Extract<LadderEvent, { kind: "kill" | "freeze" | "engine-fault" | "bad-wake" | "partition" | "bad-link" }>;

interface Targets {
  readonly world: World;
  readonly engines: readonly RunningEngine[];
  readonly victim: RunningEngine | null;
  readonly gateway: string;
  readonly aim: number;
}

/** @returns the engines that it met. */
async function hitEngines(event: EngineEvent, { world, engines, victim, gateway, aim }: Targets): Promise<readonly RunningEngine[]> {
  if (victim === null) return [];
  const party = partyOf(victim.instance, victim.generation);
  switch (event.kind) {
    case "kill": {
      const first = engines.indexOf(victim);
      return kill(world, [...engines.slice(first), ...engines.slice(0, first)].slice(0, event.count));
    }
    case "freeze":
      world.network.freeze(party);
      if (event.forMs !== null) world.clock.after(event.forMs, () => world.network.thaw(party));
      return [victim];
    case "engine-fault":
      inject(world, victim, event);
      return [victim];
    case "bad-wake": {
      const standbys = engines.filter(({ instance }) => instance.includes("-warm-"));
      const standby = standbys[Math.floor(aim * standbys.length)];
      if (standby === undefined) return [];
      inject(world, standby, event);
      await world.clock.advance(ORDER_MS);
      const hot = standby.instance.replace(/-warm-\d+$/, "-hot-");
      const others = engines.filter(({ instance }) => instance.startsWith(hot));
      return [standby, ...kill(world, others)];
    }
    case "partition": {
      const cut = event.of === "one" ? [victim] : engines;
      for (const { instance, generation } of cut) cutFor(world, [gateway, partyOf(instance, generation)], event.forMs);
      return cut;
    }
    case "bad-link":
      setLinkFor(world, [gateway, party], event);
      return [victim];
  }
}

function kill(world: World, engines: readonly RunningEngine[]): readonly RunningEngine[] {
  for (const { instance } of engines) world.launcher.kill(instance, "SIGKILL");
  return engines;
}

/** A fault of an engine's own; it has the order a moment later. */
export function inject(
  world: World,
  { address }: RunningEngine,
  { fault, forMs }: { readonly fault: Fault; readonly forMs: number },
): void {
  const body = new TextEncoder().encode(JSON.stringify({ fault, forMs }));
  const nothing = (): void => undefined;
  const request = { method: "POST", target: "/tidegate/faults", headers: ["content-type", "application/json"], body } as const;
  world.upstreamOf("drill").call(address, request, { head: nothing, data: nothing, end: nothing, failed: nothing });
}

/** The two ends of a way on the network. */
type Ends = readonly [one: string, other: string];

function cutFor({ network, clock }: World, ends: Ends, forMs: number): void {
  network.partition(...ends);
  clock.after(forMs, () => network.heal(...ends));
}

function setLinkFor(
  { network, clock }: World,
  ends: Ends,
  { quality, forMs }: { readonly quality: Partial<LinkQuality>; readonly forMs: number },
): void {
  network.setLink(...ends, quality);
  clock.after(forMs, () => network.setLink(...ends, LOOPBACK));
}

/** Everybody who has bytes there, or is promised some. */
function loseGpus(
  event: Extract<LadderEvent, { kind: "gpu-lost" | "zone-lost" }>,
  { world, view, places }: EventGround,
): Pick<Effect, "services" | "instances"> {
  const { gpu, mode } = event.kind === "gpu-lost" ? event : { gpu: null, mode: "lost" as const };
  const nodes = event.kind === "gpu-lost" ? [event.node] : places.filter(({ zone }) => zone === event.zone).map(({ node }) => node);
  const isThere = (at: { readonly node: string; readonly gpu: number }): boolean =>
    nodes.includes(at.node) && (gpu === null || at.gpu === gpu);
  const promised = view.partitions.filter(isThere).map(({ instance }) => instance);
  const standing = view.services.flatMap(({ status }) => status?.instances ?? []).filter(({ members }) => members.some(isThere));
  const names = new Set<InstanceName>([...promised, ...standing.map(({ name }) => name)]);
  for (const node of nodes) world.account.loseGpus({ kind: "gpu-lost", mode, node: nodeName(node), gpu }, event.forMs);
  return whose([...names].map((instance) => ({ instance })));
}

/** What a GPU and its driver do to engines on it. A driver that is slow has broken nothing yet: whoever dies there has trouble of its own. */
function harmGpus(
  event: Extract<LadderEvent, { kind: "xid" | "slow-teardown" | "die-slowly" }>,
  { world, view, victim, aim }: Pick<EventGround, "world" | "view"> & Pick<Targets, "victim" | "aim">,
): Partial<Effect> {
  const { account, clock } = world;
  const holds = view.gpus.flatMap(({ node, gpu, holders }) =>
    holders.filter(({ state }) => state !== "gone").map(({ instance }) => ({ node, gpu, instance })),
  );
  switch (event.kind) {
    case "xid": {
      const hold = holds[Math.floor(aim * holds.length)];
      const hit = hold === undefined ? null : account.failApplication({ kind: "gpu-fault", mode: event.mode, ...hold });
      return hit?.ok === true ? whose(hit.value.map((instance) => ({ instance: instanceName(instance) }))) : {};
    }
    case "slow-teardown":
      account.slowTeardown({ ...event, kind: "slow-teardown", node: nodeName(event.node) }, event.forMs);
      return { untilMs: clock.monotonicMs() + event.forMs + event.teardownMs };
    case "die-slowly": {
      if (victim === null) return {};
      const { teardownMs } = event;
      for (const { node, gpu } of holds.filter(({ instance }) => instance === victim.instance))
        account.slowTeardown({ kind: "slow-teardown", node, gpu, teardownMs }, event.forMs);
      return { ...whose(kill(world, [victim])), untilMs: clock.monotonicMs() + event.forMs + teardownMs };
    }
  }
}

/** Nothing of a wrong spec is taken. */
async function refuseConfig(
  { wrong }: Extract<LadderEvent, { kind: "bad-config" }>,
  service: string,
  { world, operator }: EventGround,
): Promise<readonly Wrong[]> {
  const before = await world.store.get("HotStandbyConfig", service);
  const answer = await operator.change(service, (spec) => ({ ...spec, ...wrong }));
  const after = await world.store.get("HotStandbyConfig", service);
  const isKept = before.ok && after.ok && before.value.generation === after.value.generation;
  if (answer === "refused" && isKept) return [];
  return [{ whom: service, what: `${JSON.stringify(wrong)} is ${answer}, and the spec ${isKept ? "stays" : "changes"}` }];
}
