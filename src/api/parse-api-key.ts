import { z } from "zod";
import { keyHash, keyId, tenantId } from "../base/ids.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ApiKey } from "./api-key.ts";
import { dataProblems } from "./data-problems.ts";
import type { Problem } from "./problem.ts";
import type { ResourceDraft } from "./resource.ts";
import { label } from "./schema-parts.ts";

const spec = z.strictObject({ tenant: label(), hash: z.string().regex(/^[0-9a-f]{64}$/), prefix: z.string().max(16) });

/** The resource's name is the key's id. */
export function parseApiKey(resource: Pick<ResourceDraft, "name" | "spec">): Result<ApiKey, readonly Problem[]> {
  const parsed = spec.safeParse(resource.spec);
  if (!parsed.success) return err(dataProblems(`ApiKey ${resource.name}`, parsed.error.issues));
  const { tenant, hash, prefix } = parsed.data;
  return ok({ id: keyId(resource.name), tenant: tenantId(tenant), hash: keyHash(hash), prefix });
}
