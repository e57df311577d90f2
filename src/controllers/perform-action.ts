import type { InstanceName, NodeName } from "../base/ids.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { Member } from "../api/service-status.ts";
import { gpuKey, type InstanceAction } from "../failover/instance-look.ts";
import { serviceOfInstance } from "../failover/desired-instances.ts";
import type { LaunchPlan } from "../ports/engine-launcher.ts";
import { addressOf } from "../routing/build-table.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import type { LeaseAsk } from "./lease-order.ts";
import type { ServicePlacement } from "./observe-service.ts";
import { TIER_RANK } from "./tier-rank.ts";

/** What the actions of one look are carried out with. */
export interface ActionContext extends Pick<ServicePlacement, "memoryBytes" | "environments"> {
  readonly config: HotStandbyConfig;
  readonly nodes: ReadonlyMap<NodeName, GpuNode>;
  /** Where each instance stands, or stood when it was last started. */
  readonly members: ReadonlyMap<InstanceName, readonly Member[]>;
  /** Of the launcher. */
  readonly machineOf: (node: NodeName) => string;
}

/** Begins the task of one action; its end asks for the next look. */
export function performAction(action: InstanceAction, context: ActionContext, tasks: InstanceTasks): void {
  const { engine } = context.config.model;
  switch (action.type) {
    case "start": {
      const plan = launchPlan(action, context);
      return tasks.start(plan, leaseAsk({ members: action.members, link: plan.load.link, isUrgent: action.isUrgent }, context, "boots"));
    }
    case "wake": {
      const target = engineTarget(action, context);
      const members = context.members.get(action.instance) ?? [];
      if (target === null) return;
      return tasks.wake(target, action.withinMs, leaseAsk({ members, link: "hostToGpu", isUrgent: action.isUrgent }, context));
    }
    case "sleep": {
      const target = engineTarget(action, context);
      const members = context.members.get(action.instance) ?? [];
      if (target === null) return;
      return tasks.sleep(target, leaseAsk({ members, link: null, isUrgent: false }, context));
    }
    case "fence":
      return tasks.fence(action.instance, (context.members.get(action.instance) ?? []).map(gpuKey));
    case "drain":
      return tasks.drain({ instance: action.instance, address: addressOf(action.endpoint), engine });
    case "check": {
      const target = engineTarget(action, context);
      if (target !== null) tasks.check(target, action.purpose);
      return;
    }
  }
}

function engineTarget(
  { instance, generation, endpoint }: Extract<InstanceAction, { type: "wake" | "sleep" | "check" }>,
  { config }: ActionContext,
) {
  const address = addressOf(endpoint);
  return address === null ? null : { instance, generation, address, engine: config.model.engine, model: config.model };
}

function leaseAsk(
  of: { readonly members: readonly Member[]; readonly link: "hostToGpu" | "disk" | "network" | null; readonly isUrgent: boolean },
  { config, machineOf }: ActionContext,
  boots: "boots" | null = null,
): LeaseAsk {
  const node = of.members[0]?.node;
  return {
    gpus: of.members.map(gpuKey),
    link: of.link === null || node === undefined ? null : `${node}/${of.link}`,
    bootsOn: boots === null || node === undefined ? null : machineOf(node),
    isUrgent: of.isUrgent,
    tierRank: TIER_RANK[config.tier],
    priority: config.priority,
  };
}

/** A node that left the inventory a moment ago: its rates are unknown, and the start fails or not by itself. */
const UNKNOWN_LINKS = { hostToGpu: 54e9, disk: 12e9, network: 11e9 };

function launchPlan(start: Extract<InstanceAction, { type: "start" }>, context: ActionContext): LaunchPlan {
  const { config } = context;
  const node = start.members[0]?.node;
  const links = (node === undefined ? undefined : context.nodes.get(node))?.links ?? UNKNOWN_LINKS;
  // With a cached image the weights lie on the node's disk; else they come over the network at each start.
  const link = config.cold?.isImageCached === true ? "disk" : "network";
  return {
    instance: start.instance,
    uid: start.uid,
    generation: start.generation,
    model: config.model,
    members: start.members.map(({ node: on, gpu }) => ({ node: on, gpu })),
    environment: context.environments.get(start.instance) ?? {},
    memoryBytesPerGpu: context.memoryBytes.get(start.instance) ?? 0,
    load: { link, bytesPerSecond: links[link] },
    hostToGpuBytesPerSecond: links.hostToGpu,
    isSleepable: isSleepable(start.instance, config),
  };
}

/** Only a warm instance ever sleeps, and only where its bytes may be lent or it rests asleep. */
function isSleepable(instance: InstanceName, config: HotStandbyConfig): boolean {
  const isWarm = serviceOfInstance(instance) === config.name && instance.startsWith(`${config.name}-warm-`);
  return isWarm && config.warm !== null && (config.warm.rest === "asleep" || config.warm.lend === "whenIdle");
}
