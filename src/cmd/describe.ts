import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { Resource } from "../api/resource.ts";
import type { JsonObject, JsonValue } from "../base/json.ts";
import { pathOf } from "./admin-path.ts";
import { createAdminClient, explainClientError, type AdminClient, type ClientError } from "./client.ts";
import { attachedExclusions, attachedStreams, formatAttachedService } from "./describe-attached.ts";
import { describeLadder, withoutControlPlane } from "./describe-ladder.ts";
import { lastMoveOf } from "./describe-move.ts";
import { formatDescription, type Description } from "./format-description.ts";
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
  const partitions = await client.call("GET", pathOf("GPUPartition", null));
  if (!partitions.ok) return refuse(explainClientError(partitions.error));
  const records = await client.call("GET", pathOf("FailoverRecord", null));
  if (!records.ok) return refuse(explainClientError(records.error));
  const parsed = resource.status === null ? null : parseServiceStatus(resource.status);
  const description: Description = {
    resource,
    config: config.value,
    status: parsed !== null && parsed.ok ? parsed.value : null,
    partitions: partitionsOf(parseAdminList(partitions.value), name),
    lastMove: lastMoveOf(parseAdminList(records.value), name),
    notCovered: promiseExclusions(config.value, resource.spec),
    style: terminalStyle(),
  };
  if (options.output !== "table") return printData(descriptionData(description, answer.value), options.output);
  process.stdout.write(formatDescription(description));
  return 0;
}

/** The same for programs. */
function descriptionData({ config, status, partitions, lastMove, notCovered }: Description, service: JsonValue): JsonObject {
  const ladder = status === null ? null : { config, status, partitions };
  return {
    kind: "ServiceDescription",
    service,
    ladder: ladder === null ? [] : describeLadder(ladder).map((rung) => ({ ...rung })),
    withoutControlPlane: ladder === null ? null : { ...withoutControlPlane(ladder) },
    lastMove: lastMove?.name ?? null,
    notCovered,
  };
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
    return printData({ ...found, streams: attachedStreams(engines), notCovered: attachedExclusions(engines) }, output);
  }
  process.stdout.write(formatAttachedService(name, engines, terminalStyle()));
  return 0;
}

const partitionsOf = (resources: readonly Resource[], service: string) =>
  resources.flatMap((resource) => {
    const parsed = parseGpuPartition(resource);
    return parsed.ok && parsed.value.service === service ? [parsed.value] : [];
  });
