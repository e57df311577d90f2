import { isJsonObject } from "../base/json.ts";
import { pathOf } from "./admin-path.ts";
import { createAdminClient, explainClientError } from "./client.ts";
import { refuse, withoutControls, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import { textAt } from "./json-at.ts";
import type { ClientOptions } from "./options.ts";
import { printData } from "./print-data.ts";

interface KeyOptions extends ClientOptions {
  readonly output: string;
}

/** Makes a key and shows it once: nobody can read it again. */
export async function runKeysCreate(options: KeyOptions & { readonly tenant: string }): Promise<ExitCode> {
  const target = findAdmin(options);
  if (!target.ok) return refuse(target.error);
  const body = { contentType: "application/json", text: JSON.stringify({ tenant: options.tenant }) };
  const answer = await createAdminClient(target.value).call("POST", pathOf("ApiKey", null), body);
  if (!answer.ok) return refuse(explainClientError(answer.error));
  if (options.output !== "table") return printData(answer.value, options.output);
  const created = isJsonObject(answer.value) ? answer.value : null;
  const id = textAt(created, "id") ?? "";
  // The key alone on standard output, so that it can be piped; the rest is for people.
  process.stdout.write(`${textAt(created, "key") ?? ""}\n`);
  process.stderr.write(`This is key ${id} of tenant ${options.tenant}, shown this once. Take it back with: tidegate keys delete ${id}\n`);
  const warning = textAt(created, "warning");
  if (warning !== null) process.stderr.write(`warning: ${withoutControls(warning)}\n`);
  return 0;
}

export async function runKeysDelete(id: string, options: KeyOptions): Promise<ExitCode> {
  const target = findAdmin(options);
  if (!target.ok) return refuse(target.error);
  const answer = await createAdminClient(target.value).call("DELETE", pathOf("ApiKey", id));
  if (!answer.ok) return refuse(explainClientError(answer.error));
  if (options.output !== "table") return printData(answer.value, options.output);
  process.stdout.write(`${id} deleted\n`);
  return 0;
}
