import type { Fault } from "../api/fault.ts";
import { nodeName } from "../base/ids.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import type { Random } from "../ports/random.ts";
import { partyOf } from "./world-engine.ts";
import type { World } from "./world.ts";

/** What may happen to a platform; each by its own draw from the seed. */
export type LadderEvent =
  | { readonly kind: "kill"; readonly count: number }
  | { readonly kind: "freeze" }
  | { readonly kind: "engine-fault"; readonly fault: Fault; readonly forMs: number }
  /** Every hot instance of a service ends, and its standby wakes badly. */
  | { readonly kind: "bad-wake"; readonly fault: Fault; readonly forMs: number }
  | { readonly kind: "gpu-lost"; readonly node: string; readonly gpu: number | null; readonly forMs: number }
  | { readonly kind: "zone-lost"; readonly zone: string; readonly forMs: number }
  | { readonly kind: "crash-control-plane"; readonly point: "before" | "after" }
  | { readonly kind: "restart-gateway" }
  | { readonly kind: "cut-link"; readonly forMs: number };

export interface Place {
  readonly node: string;
  readonly zone: string;
  readonly gpuCount: number;
}

const CRASH_WITHIN_MS = 3_000;
/** An order to an engine has arrived. */
const ORDER_MS = 5;
const ENGINE_FAULTS: readonly Fault[] = [{ kind: "hang" }, { kind: "reset", afterTokens: 2 }, { kind: "truncate", afterTokens: 3 }];

const WAKE_FAULTS: readonly Fault[] = [{ kind: "garbage-after-wake" }, { kind: "failed-wake" }, { kind: "slow-wake", factor: 20 }];

export function drawEvent(chance: Random, places: readonly Place[]): LadderEvent {
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(chance.next() * items.length)];
  const forMs = Math.round(3_000 + chance.next() * 12_000);
  const { node = "", zone = "", gpuCount = 1 } = pick(places) ?? {};
  switch (Math.floor(chance.next() * 11)) {
    case 0:
    case 1:
    case 2:
      return { kind: "kill", count: 1 + Math.floor(chance.next() * 4) };
    case 3:
      return { kind: "freeze" };
    case 4:
      return { kind: "engine-fault", fault: pick(ENGINE_FAULTS) ?? { kind: "hang" }, forMs };
    case 5:
      return { kind: "gpu-lost", node, gpu: Math.floor(chance.next() * gpuCount), forMs };
    case 6:
      return chance.next() < 0.5 ? { kind: "gpu-lost", node, gpu: null, forMs } : { kind: "zone-lost", zone, forMs };
    case 7:
      return { kind: "crash-control-plane", point: chance.next() < 0.5 ? "before" : "after" };
    case 8:
      return { kind: "restart-gateway" };
    case 9:
      return { kind: "bad-wake", fault: pick(WAKE_FAULTS) ?? { kind: "failed-wake" }, forMs };
    default:
      return { kind: "cut-link", forMs };
  }
}

export async function perform(
  world: World,
  event: LadderEvent,
  { chance, places }: { readonly chance: Random; readonly places: readonly Place[] },
) {
  const engines = [...(await world.launcher.observe())].toSorted((left, right) => (left.instance < right.instance ? -1 : 1));
  const victim = engines[Math.floor(chance.next() * engines.length)];
  world.log.record({
    level: "info",
    event: "ladder.event",
    fields: { atMs: world.clock.monotonicMs(), victim: victim?.instance ?? null, kind: event.kind },
  });
  switch (event.kind) {
    case "kill": {
      const first = victim === undefined ? 0 : engines.indexOf(victim);
      for (const { instance } of [...engines.slice(first), ...engines.slice(0, first)].slice(0, event.count))
        world.launcher.kill(instance, "SIGKILL");
      return;
    }
    case "freeze":
      return victim === undefined ? undefined : world.network.freeze(partyOf(victim.instance, victim.generation));
    case "engine-fault":
      return victim === undefined ? undefined : order(world, victim, event);
    case "bad-wake": {
      const standbys = engines.filter(({ instance }) => instance.includes("-warm-"));
      const standby = standbys[Math.floor(chance.next() * standbys.length)];
      if (standby === undefined) return;
      order(world, standby, event);
      await world.clock.advance(ORDER_MS);
      const hot = standby.instance.replace(/-warm-\d+$/, "-hot-");
      for (const { instance } of engines) if (instance.startsWith(hot)) world.launcher.kill(instance, "SIGKILL");
      return;
    }
    case "gpu-lost":
      return lose(world, [event.node], event);
    case "zone-lost":
      return lose(
        world,
        places.filter(({ zone }) => zone === event.zone).map(({ node }) => node),
        { gpu: null, forMs: event.forMs },
      );
    case "crash-control-plane":
      return world.crashControlPlane(event.point, CRASH_WITHIN_MS);
    case "restart-gateway":
      return world.restartGateway();
    case "cut-link":
      world.cutLink();
      world.clock.after(event.forMs, () => world.restoreLink());
  }
}

function order(
  world: World,
  { address }: Pick<RunningEngine, "address">,
  { fault, forMs }: { readonly fault: Fault; readonly forMs: number },
): void {
  const body = new TextEncoder().encode(JSON.stringify({ fault, forMs }));
  const nothing = (): void => undefined;
  const request = { method: "POST", target: "/tidegate/faults", headers: ["content-type", "application/json"], body } as const;
  world.upstreamOf("drill").call(address, request, { head: nothing, data: nothing, end: nothing, failed: nothing });
}

function lose(world: World, nodes: readonly string[], { gpu, forMs }: { readonly gpu: number | null; readonly forMs: number }): void {
  for (const node of nodes) world.account.loseGpus({ kind: "gpu-lost", mode: "fallen_off_bus", node: nodeName(node), gpu }, forMs);
}
