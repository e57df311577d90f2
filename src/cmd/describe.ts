import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { Resource } from "../api/resource.ts";
import { pathOf } from "./admin-path.ts";
import { createAdminClient, explainClientError } from "./client.ts";
import { formatDescription } from "./format-description.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
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
  if (!answer.ok) return refuse(explainClientError(answer.error));
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

const partitionsOf = (resources: readonly Resource[], service: string) =>
  resources.flatMap((resource) => {
    const parsed = parseGpuPartition(resource);
    return parsed.ok && parsed.value.service === service ? [parsed.value] : [];
  });
