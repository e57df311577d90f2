import { capTokens } from "../admission/token-cap.ts";
import type { RouteTable } from "../api/route-table.ts";
import { queueMsFrom, type DegradedModel } from "../routing/degraded-model.ts";
import type { ClientRequest } from "./client-request.ts";
import type { RouteStore } from "./route-store.ts";
import type { ServiceDesks } from "./service-desk.ts";

const NONE: readonly DegradedModel[] = [];

/** The models of the table's degraded steps that another service of the tenant serves now and that this request may ask, in their order. */
export function degradedModels(
  request: Pick<ClientRequest, "tenant" | "parsed" | "canDegrade">,
  table: RouteTable,
  { routes, desks }: { readonly routes: RouteStore; readonly desks: ServiceDesks },
): readonly DegradedModel[] {
  if (!request.canDegrade || !table.degraded.some((step) => step.kind === "model")) return NONE;
  const shedAt = table.degraded.findIndex((step) => step.kind === "shed");
  const steps = shedAt === -1 ? table.degraded : table.degraded.slice(0, shedAt);
  return steps.flatMap((step, index): readonly DegradedModel[] => {
    if (step.kind !== "model") return [];
    const other = routes.find(request.tenant, step.name);
    if (other === null || other.uid === table.uid) return [];
    if (capTokens(request.parsed.maxTokens, other.limits.maxTokens).kind === "refuse") return [];
    const hasQueue = desks.of(other).holds.count > 0;
    return [{ model: step.name, table: other, hasQueue, beforeEndMs: queueMsFrom(steps, index) }];
  });
}
