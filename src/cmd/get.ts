import type { Resource } from "../api/resource.ts";
import type { JsonValue } from "../base/json.ts";
import { ok, type Result } from "../base/result.ts";
import { pathOf } from "./admin-path.ts";
import { createAdminClient, explainClientError, type AdminClient, type ClientError } from "./client.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import { attachedServices, INSTANCE_KINDS, instanceJson, instanceRowsOf, isWanted } from "./instance-rows.ts";
import { printInstanceTable, type InstanceRow } from "./instance-table.ts";
import { KIND_TABLES, type KindTable } from "./kind-tables.ts";
import { parseAdminList, parseAdminObject } from "./parse-admin-answer.ts";
import { formatTable, terminalStyle } from "./print-table.ts";
import { printData } from "./print-data.ts";
import { usageError } from "./usage-error.ts";
import { watchRecords } from "./watch-records.ts";
import { watchInstances } from "./watch-instances.ts";
import type { ClientOptions } from "./options.ts";

export interface GetOptions extends ClientOptions {
  readonly watch?: boolean;
  readonly output: string;
}

const INSTANCE_NAMES = ["instances", "instance"];
/** Everything that `get` understands, as its help lists it. */
const GET_NAMES: readonly string[] = ["instances", ...KIND_TABLES.map((table) => table.names[0] ?? "")];

export async function runGet(what: string, name: string | null, options: GetOptions): Promise<ExitCode> {
  const wanted = what.toLowerCase();
  const table = KIND_TABLES.find((candidate) => candidate.names.includes(wanted)) ?? null;
  const isInstances = INSTANCE_NAMES.includes(wanted);
  if (!isInstances && table === null) return usageError(`get knows no ${what}.`, `It knows ${GET_NAMES.join(", ")}.`, "get");
  if (options.watch === true && !isInstances && table?.kind !== "FailoverRecord") {
    return usageError("-w follows instances and records only.", `${what} cannot be followed yet.`, "get");
  }
  const target = findAdmin(options);
  if (!target.ok) return refuse(target.error);
  const client = createAdminClient(target.value);
  if (table === null)
    return options.watch === true ? watchInstances(client, name, options.output) : getInstances(client, name, options.output);
  if (options.watch === true) return watchRecords(client, table, name, options.output);
  return getKind(client, table, name, options.output);
}

async function getKind(client: AdminClient, table: KindTable, name: string | null, output: string): Promise<ExitCode> {
  const answer = await client.call("GET", pathOf(table.kind, name));
  if (!answer.ok) return refuse(explainClientError(answer.error));
  if (output !== "table") return printData(answer.value, output);
  const attached = table.kind === "HotStandbyConfig" && name === null ? await client.call("GET", pathOf("AttachedEngine", null)) : null;
  if (attached !== null && !attached.ok) return refuse(explainClientError(attached.error));
  const written = name === null ? parseAdminList(answer.value) : one(answer.value);
  const resources = [...written, ...(attached === null ? [] : attachedServices(parseAdminList(attached.value)))];
  if (resources.length === 0) {
    process.stderr.write(`There are no ${table.names[0]}.\n`);
    return 0;
  }
  const nowMs = Date.now();
  process.stdout.write(
    `${formatTable(
      table.titles,
      resources.map((resource) => table.cells(resource, nowMs)),
      terminalStyle(),
    )}\n`,
  );
  return 0;
}

function one(value: JsonValue): readonly Resource[] {
  const resource = parseAdminObject(value);
  return resource === null ? [] : [resource];
}

async function getInstances(client: AdminClient, name: string | null, output: string): Promise<ExitCode> {
  const listed = await listInstances(client);
  if (!listed.ok) return refuse(explainClientError(listed.error));
  const rows = listed.value.filter((row) => isWanted(row, name));
  if (output !== "table") return printData({ kind: "InstanceList", items: rows.map(instanceJson) }, output);
  if (name !== null && rows.length === 0) {
    return refuse({
      what: `There is no instance ${name}.`,
      why: "No service and no attached engine has it.",
      next: "See all with `tidegate get instances`.",
    });
  }
  if (rows.length === 0) process.stderr.write("There are no instances: apply a HotStandbyConfig first.\n");
  else printInstanceTable(rows, (line) => process.stdout.write(`${line}\n`));
  return 0;
}

async function listInstances(client: AdminClient): Promise<Result<readonly InstanceRow[], ClientError>> {
  const rows: InstanceRow[] = [];
  for (const kind of INSTANCE_KINDS) {
    const answer = await client.call("GET", pathOf(kind, null));
    if (!answer.ok) return answer;
    rows.push(...instanceRowsOf(parseAdminList(answer.value)));
  }
  return ok(rows);
}
