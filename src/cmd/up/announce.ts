import type { CreatedKey } from "../../admin/api-keys.ts";
import { printInstanceTable, type InstanceRow } from "../instance-table.ts";
import type { Terminal } from "./terminal.ts";

export interface Announcement {
  readonly rows: readonly InstanceRow[];
  readonly adminUrl: string;
  readonly gatewayUrl: string;
  readonly metricsUrls: readonly string[];
  /** Per tenant the model that an example can name. */
  readonly tenants: readonly { readonly tenant: string; readonly model: string }[];
  readonly newKeys: readonly CreatedKey[];
  readonly keysFile: string;
  /** What the state directory must be named as, for the other commands; null = the default. */
  readonly dataDirFlag: string | null;
}

/** What a user needs next: the instances, the addresses, one request per tenant, and something to break. */
export function announce(terminal: Terminal, facts: Announcement): void {
  terminal.line("");
  printInstanceTable(facts.rows, terminal.line);
  terminal.line("");
  terminal.line(`Admin:   ${facts.adminUrl}`);
  terminal.line(`Gateway: ${facts.gatewayUrl}/v1`);
  terminal.line(`Metrics: ${facts.metricsUrls.join("  ")}`);
  terminal.line("");
  announceKeys(terminal, facts);
  const victim = victimOf(facts.rows);
  const flag = facts.dataDirFlag === null ? "" : ` --data-dir ${facts.dataDirFlag}`;
  if (victim !== undefined) {
    terminal.line("Try it: in another terminal watch the instances, then end one of them.");
    terminal.line(`  npx tidegate get instances -w${flag}`);
    terminal.line(`  kill -9 ${victim.instance.pid}`);
    announceLadder(terminal, facts.rows, flag);
  }
  terminal.line("Ctrl-C ends everything and keeps the state.");
}

/** A service with a warm instance has somewhere to go. */
function announceLadder(terminal: Terminal, rows: readonly InstanceRow[], flag: string): void {
  const warm = rows.find(({ instance }) => instance.level === "warm" && (instance.state === "Ready" || instance.state === "Asleep"));
  if (warm === undefined) return;
  terminal.line("Or move a service down its ladder and back; describe says what each rung needs.");
  terminal.line(`  npx tidegate failover ${warm.service} --to warm${flag}`);
  terminal.line(`  npx tidegate failback ${warm.service}${flag}`);
  terminal.line(`  npx tidegate describe ${warm.service}${flag}`);
}

function announceKeys(terminal: Terminal, facts: Announcement): void {
  const isShown = terminal.isInteractive;
  if (facts.newKeys.length > 0) {
    terminal.line(
      isShown
        ? "Keys, shown this once:"
        : `Keys were made and written to ${facts.keysFile} (mode 0600), since nobody reads a terminal here.`,
    );
  }
  for (const { tenant, model } of facts.tenants) {
    const made = facts.newKeys.find((key) => key.tenant === tenant);
    const key = made !== undefined && isShown ? made.key : "$KEY";
    if (made === undefined) terminal.line(`${tenant} has its key already; another one: npx tidegate keys create --tenant ${tenant}`);
    else if (!isShown) terminal.line(`${tenant}: KEY=$(awk '$1=="${tenant}"{print $2}' ${facts.keysFile})`);
    else terminal.line(`${tenant}:`);
    terminal.line(curl("", facts.gatewayUrl, key, `{"model":"${model}","messages":[{"role":"user","content":"What does the tide do?"}]}`));
    terminal.line(
      curl(
        "-N ",
        facts.gatewayUrl,
        key,
        `{"model":"${model}","stream":true,"messages":[{"role":"user","content":"What does the tide do?"}]}`,
      ),
    );
  }
  terminal.line("");
}

const curl = (flag: string, gatewayUrl: string, key: string, body: string): string =>
  `  curl ${flag}${gatewayUrl}/v1/chat/completions -H "Authorization: Bearer ${key}" -H 'content-type: application/json' -d '${body}'`;

/** A hot instance to end, rather one that has a hot neighbour: that is the case where nobody waits. */
function victimOf(rows: readonly InstanceRow[]): InstanceRow | undefined {
  const hot = rows.filter(({ instance }) => instance.level === "hot" && instance.state === "Ready" && instance.pid !== null);
  return hot.find((row) => hot.some((other) => other !== row && other.service === row.service)) ?? hot[0];
}
