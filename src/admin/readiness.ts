import type { ClusterStore } from "../ports/cluster-store.ts";

/** null = the store answers and every service is served by an instance; else what is missing, for people. */
export async function missingService(store: ClusterStore): Promise<string | null> {
  const listed = await store.list("HotStandbyConfig");
  if (!listed.ok) return "the store does not answer";
  for (const { name, status } of listed.value.items) {
    if (status === null) return `no controller has looked at ${name} yet`;
    if (status["level"] === "degraded") return `${name} is served by no instance`;
  }
  return null;
}
