import { writeFileSync } from "node:fs";
import { createApiKey, type CreatedKey, type KeyPorts } from "../../admin/api-keys.ts";
import type { Resource } from "../../api/resource.ts";
import { tenantId } from "../../base/ids.ts";
import { textAt } from "../json-at.ts";

/** One key for each tenant that has none yet: made at its first start, shown once. */
export async function makeFirstKeys(ports: Omit<KeyPorts, "log">): Promise<readonly CreatedKey[]> {
  const [configs, attached, keys] = await Promise.all(
    (["HotStandbyConfig", "AttachedEngine", "ApiKey"] as const).map((kind) => ports.store.list(kind)),
  );
  const itemsOf = (listed: typeof configs): readonly Resource[] => (listed?.ok === true ? listed.value.items : []);
  // Read as they stand: every spec came through the door, and after a crash the schemas can wait.
  const provided = new Set(itemsOf(keys).map((key) => textAt(key.spec, "tenant")));
  const served = [...itemsOf(configs).map((config) => textAt(config.spec, "tenant")), ...itemsOf(attached).map(() => "default")];
  const made: CreatedKey[] = [];
  for (const tenant of new Set(served)) {
    if (tenant === null || provided.has(tenant)) continue;
    const created = await createApiKey(tenantId(tenant), ports);
    if (created.ok) made.push(created.value);
  }
  return made;
}

/** Without a terminal nobody reads what is shown once: the keys go to a file of mode 0600, a line each: tenant, key. */
export function writeKeysFile(path: string, keys: readonly CreatedKey[]): void {
  const lines = keys.map(({ tenant, key }) => `${tenant} ${key}\n`).join("");
  writeFileSync(path, lines, { mode: 0o600, flag: "a" });
}
