import { API_VERSION, type Kind, type Resource } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import { formatWall } from "../base/time.ts";

export const RESOURCE_ROOT = `/apis/${API_VERSION}`;

/** A resource as Kubernetes writes it: what the admin API answers and what `kubectl`-minded people expect. */
export interface KubernetesObject extends JsonObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: JsonObject;
  readonly spec: JsonObject;
  readonly status?: JsonObject;
}

/** The digest of an API key stays inside: only what names the key leaves. */
const publicSpec = (resource: Resource): JsonObject =>
  resource.kind === "ApiKey" ? { tenant: resource.spec["tenant"], prefix: resource.spec["prefix"] } : resource.spec;

export function toKubernetes(resource: Resource): KubernetesObject {
  return {
    apiVersion: API_VERSION,
    kind: resource.kind,
    metadata: {
      name: resource.name,
      uid: resource.uid,
      resourceVersion: resource.version,
      generation: resource.generation,
      creationTimestamp: formatWall(resource.createdAt),
      ...(Object.keys(resource.labels).length === 0 ? {} : { labels: resource.labels }),
      ...(Object.keys(resource.annotations).length === 0 ? {} : { annotations: resource.annotations }),
    },
    spec: publicSpec(resource),
    ...(resource.status === null ? {} : { status: resource.status }),
  };
}

/** A list as Kubernetes answers it. Its `resourceVersion` is empty: versions here order one object, not the store. */
export function toKubernetesList(kind: Kind, items: readonly Resource[]): JsonObject {
  return { apiVersion: API_VERSION, kind: `${kind}List`, metadata: { resourceVersion: "" }, items: items.map(toKubernetes) };
}
