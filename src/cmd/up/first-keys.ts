import { writeFileSync } from "node:fs";
import { createApiKey, type CreatedKey, type KeyPorts } from "../../admin/api-keys.ts";
import { parseApiKey } from "../../api/parse-api-key.ts";
import type { TenantId } from "../../base/ids.ts";

/** One key for each tenant that has none yet: made at its first start, shown once. */
export async function makeFirstKeys(tenants: readonly TenantId[], ports: Omit<KeyPorts, "log">): Promise<readonly CreatedKey[]> {
  const stored = await ports.store.list("ApiKey");
  if (!stored.ok) return [];
  const provided = new Set(
    stored.value.items.flatMap((item) => {
      const key = parseApiKey(item);
      return key.ok ? [key.value.tenant] : [];
    }),
  );
  const made: CreatedKey[] = [];
  for (const tenant of tenants) {
    if (provided.has(tenant)) continue;
    const created = await createApiKey(tenant, ports);
    if (created.ok) made.push(created.value);
  }
  return made;
}

/** Without a terminal nobody reads what is shown once: the keys go to a file of mode 0600, a line each: tenant, key. */
export function writeKeysFile(path: string, keys: readonly CreatedKey[]): void {
  const lines = keys.map(({ tenant, key }) => `${tenant} ${key}\n`).join("");
  writeFileSync(path, lines, { mode: 0o600, flag: "a" });
}
