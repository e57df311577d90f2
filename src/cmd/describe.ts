import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { Resource } from "../api/resource.ts";
import { pathOf } from "./admin-path.ts";
import { createAdminClient, explainClientError, type AdminClient, type ClientError } from "./client.ts";
import { attachedExclusions, formatAttachedService } from "./describe-attached.ts";
import { formatDescription } from "./format-description.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import { textAt } from "./json-at.ts";
import type { ClientOptions } from "./options.ts";
import { parseAdminList, parseAdminObject } from "./parse-admin-answer.ts";
import { printData } from "./print-data.ts";
import { terminalStyle } from "./print-table.ts";
import { promiseExclusions } from "./promise-exclusions.ts";

interface DescribeOptions extends ClientOptions {
  readonly output: string;
}

/** Everything that is known of one service, and why it is so. */
export async function runDescribe(name: string, options: DescribeOptions): Promise<ExitCode> {
  const target = findAdmin(options);
  if (!target.ok) return refuse(target.error);
  const client = createAdminClient(target.value);
  const answer = await client.call("GET", pathOf("HotStandbyConfig", name));
  if (!answer.ok) return describeAttached(name, client, answer.error, options.output);
  const resource = parseAdminObject(answer.value);
  const config = resource === null ? null : parseHotStandbyConfig(resource);
  if (resource === null || config === null || !config.ok) {
    return refuse({
      what: `${name} cannot be read.`,
      why: config !== null && !config.ok ? (config.error[0]?.what ?? "") : "The answer is no resource.",
      next: `Look at it with \`tidegate get services ${name} -o yaml\`.`,
    });
  }
  const notCovered = promiseExclusions(config.value, resource.spec);
  if (options.output !== "table") return printData({ kind: "ServiceDescription", service: answer.value, notCovered }, options.output);
  const partitions = await client.call("GET", pathOf("GPUPartition", null));
  if (!partitions.ok) return refuse(explainClientError(partitions.error));
  const status = resource.status === null ? null : parseServiceStatus(resource.status);
  const text = formatDescription({
    resource,
    config: config.value,
    status: status !== null && status.ok ? status.value : null,
    partitions: partitionsOf(parseAdminList(partitions.value), name),
    notCovered,
    style: terminalStyle(),
  });
  process.stdout.write(text);
  return 0;
}

/** Attached engines form services too; one that is neither is not there. */
async function describeAttached(name: string, client: AdminClient, error: ClientError, output: string): Promise<ExitCode> {
  const isAbsent = error.code === "REFUSED" && error.status.reason === "NotFound";
  const listed = isAbsent ? await client.call("GET", pathOf("AttachedEngine", null)) : null;
  const engines =
    listed !== null && listed.ok ? parseAdminList(listed.value).filter((engine) => textAt(engine.status, "service") === name) : [];
  if (engines.length === 0) return refuse(explainClientError(error));
  if (output !== "table") {
    const found = { kind: "AttachedServiceDescription", service: name, engines: engines.map((engine) => engine.status) };
    return printData({ ...found, notCovered: attachedExclusions(engines) }, output);
  }
  process.stdout.write(formatAttachedService(name, engines, terminalStyle()));
  return 0;
}

const partitionsOf = (resources: readonly Resource[], service: string) =>
  resources.flatMap((resource) => {
    const parsed = parseGpuPartition(resource);
    return parsed.ok && parsed.value.service === service ? [parsed.value] : [];
  });
