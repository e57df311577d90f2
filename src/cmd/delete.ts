import { pathOf } from "./admin-path.ts";
import { createAdminClient, explainClientError } from "./client.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import { KIND_TABLES } from "./kind-tables.ts";
import type { ClientOptions } from "./options.ts";
import { printData } from "./print-data.ts";
import { usageError } from "./usage-error.ts";

const DELETABLE = ["HotStandbyConfig", "GPUNode", "ApiKey", "ReservationMap"];

export async function runDelete(kind: string, name: string, options: ClientOptions & { readonly output: string }): Promise<ExitCode> {
  const table = KIND_TABLES.find((candidate) => candidate.names.includes(kind.toLowerCase())) ?? null;
  if (table === null || !DELETABLE.includes(table.kind)) {
    const known = KIND_TABLES.filter((candidate) => DELETABLE.includes(candidate.kind)).map((candidate) => candidate.names[1]);
    return usageError(
      `delete takes no ${kind} away.`,
      `It takes ${known.join(", ")}; the rest is made and removed by the controllers.`,
      "delete",
    );
  }
  const target = findAdmin(options);
  if (!target.ok) return refuse(target.error);
  const answer = await createAdminClient(target.value).call("DELETE", pathOf(table.kind, name));
  if (!answer.ok) return refuse(explainClientError(answer.error));
  if (options.output !== "table") return printData(answer.value, options.output);
  process.stdout.write(`${table.names[1]} ${name} deleted\n`);
  return 0;
}
