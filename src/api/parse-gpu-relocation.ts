import { z } from "zod";
import { instanceName, nodeName, type MigLayout } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { dataProblems } from "./data-problems.ts";
import {
  RELOCATION_PHASES,
  type GpuRelocation,
  type RelocationPlace,
  type RepartitionStep,
  type RepartitionSteps,
} from "./gpu-relocation.ts";
import { MIG_MEMORY_SLICES, MIG_PROFILES } from "./mig-geometry.ts";
import { layoutFromBits, placementIndex, type MigPlacement } from "./mig-layout.ts";
import type { Problem } from "./problem.ts";
import type { Resource } from "./resource.ts";
import { count, label, text } from "./schema-parts.ts";

/** No node has more GPUs that one instance could ask for. */
const PLACES_MAX = 64;
const milliseconds = z.number().min(0);
const instance = text().transform(instanceName);
const placement = z
  .strictObject({ profile: z.enum(MIG_PROFILES), start: count(0, MIG_MEMORY_SLICES - 1) })
  .refine((mig) => placementIndex(mig) >= 0, "no card lets the profile start there");
const place = z.strictObject({ node: label().transform(nodeName), gpu: count(0, 4_096), mig: placement.nullable() });
const step = z.union([
  z.strictObject({ do: z.enum(["drain", "restart"]), instance, at: placement, budgetMs: milliseconds }),
  z.strictObject({ do: z.enum(["destroy", "create"]), at: placement, budgetMs: milliseconds }),
]);
const layout = z.int().transform((bits, context): MigLayout => {
  const read = layoutFromBits(bits);
  if (read !== null) return read;
  context.addIssue({ code: "custom", message: "no legal layout" });
  return z.NEVER;
});
const cut = z.object({
  from: layout,
  to: layout,
  // Older journals have each step taken back beside it, which nobody reads.
  steps: z.array(z.union([step, z.object({ forward: step }).transform(({ forward }) => forward)])).max(64),
  budgetMs: milliseconds,
});
const placeList = z.array(place).min(1).max(PLACES_MAX);
const spec = z
  .strictObject({
    wish: instance,
    // Journals of before several GPUs have one place.
    place: place.optional(),
    places: placeList.optional(),
    wishFrom: z.array(place).max(PLACES_MAX).default([]),
    victims: z.array(z.strictObject({ instance, level: z.enum(["hot", "warm", "cold"]), from: place, to: place })).max(8),
    cut: cut.nullable(),
    budgetMs: milliseconds,
    rollbackBudgetMs: milliseconds,
  })
  .transform(({ place: only, places: several, ...rest }) => ({ ...rest, places: several ?? (only === undefined ? [] : [only]) }))
  .refine(({ places }) => places.length > 0, { path: ["places"], message: "is missing" });
const status = z.object({
  phase: z.enum(RELOCATION_PHASES),
  failureCount: z.int().min(0),
  message: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
});

/** Of a stored GPURelocation; a status that is absent was not looked at yet. */
export function parseGpuRelocation(resource: Pick<Resource, "name" | "spec" | "status">): Result<GpuRelocation, readonly Problem[]> {
  const read = spec.safeParse(resource.spec);
  if (!read.success) return err(dataProblems(`GPURelocation ${resource.name}`, read.error.issues));
  const journal = { name: resource.name, ...read.data };
  if (resource.status === null) return ok({ ...journal, status: null });
  const told = status.safeParse(resource.status);
  if (!told.success) return err(dataProblems(`Status of GPURelocation ${resource.name}`, told.error.issues));
  return ok({ ...journal, status: told.data });
}

/** The `spec` that `parseGpuRelocation` reads back to the same relocation. */
export const gpuRelocationSpec = ({
  wish,
  places,
  wishFrom,
  victims,
  cut: steps,
  budgetMs,
  rollbackBudgetMs,
}: GpuRelocation): JsonObject => ({
  wish,
  places: places.map(placeJson),
  ...(wishFrom.length === 0 ? {} : { wishFrom: wishFrom.map(placeJson) }),
  victims: victims.map((victim) => ({ ...victim, from: placeJson(victim.from), to: placeJson(victim.to) })),
  cut: steps === null ? null : cutJson(steps),
  budgetMs,
  rollbackBudgetMs,
});

const placementJson = ({ profile, start }: MigPlacement): JsonObject => ({ profile, start });
const placeJson = ({ node, gpu, mig }: RelocationPlace): JsonObject => ({ node, gpu, mig: mig === null ? null : placementJson(mig) });
const stepJson = (of: RepartitionStep): JsonObject => ({ ...of, at: placementJson(of.at) });
const cutJson = ({ from, to, steps, budgetMs }: RepartitionSteps): JsonObject => ({
  from,
  to,
  steps: steps.map(stepJson),
  budgetMs,
});
