import { matchesNode } from "../api/match-node.ts";
import type { InstanceName, NodeName, ServiceName } from "../base/ids.ts";
import type { InstanceRequest } from "../placement/placement-request.ts";
import { requestsOf } from "../placement/requests-of.ts";
import { explainFullHost, explainNoHost } from "./explain-vetting.ts";
import type { Fleet } from "./vet-losses.ts";

/** The copies of all sleepers' weights against the memory of their hosts: one line for each service that is short. */
export function vetHostMemory({ configs, nodes, placements }: Fleet): ReadonlyMap<ServiceName, readonly string[]> {
  const sleepers = configs.flatMap((config) =>
    requestsOf(config).flatMap((request) => (request.hostBytes > 0 ? [{ config, request, node: nodeOf(request, placements) }] : [])),
  );
  const byNode = Map.groupBy(sleepers, ({ node }) => node);
  const sleepersOn = (node: NodeName): typeof sleepers => byNode.get(node) ?? [];
  const keptBytes = (node: NodeName): number => sleepersOn(node).reduce((total, { request }) => total + request.hostBytes, 0);
  const found = new Map<ServiceName, string[]>();
  const say = (service: ServiceName, line: string): void => void found.set(service, [...(found.get(service) ?? []), line]);
  for (const node of nodes) {
    const neededBytes = keptBytes(node.name);
    if (neededBytes <= node.hostMemoryBytes) continue;
    const of = { node: node.name, neededBytes, hostBytes: node.hostMemoryBytes };
    for (const config of new Set(sleepersOn(node.name).map((sleeper) => sleeper.config))) {
      say(config.name, explainFullHost(config, of));
    }
  }
  for (const { config, request } of byNode.get(null) ?? []) {
    const hosts = nodes.filter((node) => matchesNode(node, request));
    const freeBytes = Math.max(0, ...hosts.map((node) => node.hostMemoryBytes - keptBytes(node.name)));
    if (hosts.length > 0 && freeBytes < request.hostBytes) say(config.name, explainNoHost(config, request, freeBytes));
  }
  return found;
}

const nodeOf = (
  { instance }: InstanceRequest,
  placements: ReadonlyMap<InstanceName, readonly { readonly node: NodeName }[]>,
): NodeName | null => placements.get(instance)?.[0]?.node ?? null;
