import type { RecordAction } from "../api/failover-record.ts";
import type { Resource } from "../api/resource.ts";
import { formatDuration } from "../base/time.ts";
import type { Explanation } from "../base/result.ts";
import { pathOf } from "./admin-path.ts";
import { awaitRecord, type AwaitedRecord } from "./await-record.ts";
import { createAdminClient, explainClientError } from "./client.ts";
import { refuse, withoutControls, type ExitCode } from "./explain.ts";
import { findAdmin } from "./find-admin.ts";
import { numberAt, textAt } from "./json-at.ts";
import type { ClientOptions } from "./options.ts";
import { parseAdminObject } from "./parse-admin-answer.ts";
import { printData } from "./print-data.ts";

export interface MoveOptions extends ClientOptions {
  readonly output: string;
  /** Longest wait for the end; false = do not wait. */
  readonly wait: number | false;
  readonly to?: string;
}

/** Asks for a move as an operator, and stays until it has ended, was refused, or the wait is over. */
export async function requestMove(action: RecordAction, service: string, options: MoveOptions): Promise<ExitCode> {
  const target = findAdmin(options);
  if (!target.ok) return refuse(target.error);
  const client = createAdminClient(target.value);
  const spec = { service, action, ...(options.to === undefined ? {} : { to: options.to }) };
  const asked = await client.call("POST", pathOf("FailoverRecord", null), {
    contentType: "application/json",
    text: JSON.stringify({ spec }),
  });
  if (!asked.ok) return refuse(explainClientError(asked.error));
  const record = parseAdminObject(asked.value);
  if (record === null) {
    return refuse({
      what: "The request was sent, but its answer cannot be read.",
      why: "It is no FailoverRecord.",
      next: "See what became of it with `tidegate get failoverrecords`.",
    });
  }
  // Progress is for people: standard output stays the data's where programs read it.
  const isTable = options.output === "table";
  const say = (line: string): void => void (isTable ? process.stdout : process.stderr).write(`${withoutControls(line)}\n`);
  say(`${action} of ${service} is requested as ${record.name}.`);
  if (options.wait === false) return isTable ? 0 : printData(asked.value, options.output);
  const ended = await awaitRecord(client, { record: record.name, service, withinMs: options.wait, say });
  if (!isTable) {
    const answer = await client.call("GET", pathOf("FailoverRecord", record.name));
    if (answer.ok) await printData(answer.value, options.output);
  }
  const explanation = explainOutcome(action, { service, name: record.name, waitMs: options.wait }, ended);
  if (explanation !== null) return refuse(explanation);
  if (isTable && ended.resource !== null) say(summaryOf(action, service, ended.resource));
  return 0;
}

/** null = it is done. */
function explainOutcome(
  action: RecordAction,
  asked: { readonly service: string; readonly name: string; readonly waitMs: number },
  ended: AwaitedRecord,
): Explanation | null {
  const { service, name, waitMs } = asked;
  const reason = textAt(ended.resource?.status ?? null, "reason") ?? "";
  const why = reason === "" ? "The control plane gave no reason." : reason;
  switch (ended.outcome) {
    case "Completed":
      return null;
    case "Refused":
      return { what: `The ${action} of ${service} is refused; nothing was moved.`, why, next: NEXT_OF_ACTION[action](service) };
    case "Failed":
      return {
        what: `The ${action} of ${service} failed.`,
        why,
        next: `See where it stands now, and why, with \`tidegate describe ${service}\`.`,
      };
    case "gone":
      return {
        what: `The request ${name} was taken away before it had ended.`,
        why: "Somebody deleted it, or its service.",
        next: `See how the service stands with \`tidegate describe ${service}\`.`,
      };
    case "unreachable":
      return ended.error;
    case "waited":
      return {
        what: `The ${action} of ${service} has not ended within ${formatDuration(waitMs)}.`,
        why: `${name} is still ${textAt(ended.resource?.status ?? null, "phase") ?? "Requested"}. It goes on without this command.`,
        next: "Follow it with `tidegate get failoverrecords -w`, or give it longer with --wait.",
      };
  }
}

const NEXT_OF_ACTION: Readonly<Record<RecordAction, (service: string) => string>> = {
  failover: (service) => `See what each rung needs with \`tidegate describe ${service}\`, or name another one with --to.`,
  failback: (service) => `Wait until every hot instance is Ready (\`tidegate get instances ${service} -w\`), then ask again.`,
  resume: (service) => `See how it stands with \`tidegate describe ${service}\`.`,
};

function summaryOf(action: RecordAction, service: string, record: Resource): string {
  if (action === "resume") return `${service} moves by itself again: its count of failovers begins anew.`;
  const rtoMs = numberAt(record.status, "rtoMs");
  const rto = rtoMs === null ? "" : `, largest wait of an affected request ${Math.round(rtoMs)} ms`;
  const lost = numberAt(record.status, "affected", "lost") ?? 0;
  const reason = textAt(record.status, "reason") ?? "";
  return `${action} of ${service} is completed: ${lost} requests lost${rto}.${reason === "" ? "" : ` ${reason}`}`;
}
