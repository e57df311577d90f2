import type { JsonObject } from "../base/json.ts";
import type { AdminClient } from "./client.ts";
import { explainClientError } from "./client.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { followKind, stopOnEnd } from "./follow-kind.ts";
import { textAt } from "./json-at.ts";
import type { KindTable } from "./kind-tables.ts";
import { columnWidths, formatRow, plainCell, terminalStyle, type Cell } from "./print-table.ts";

// Room for what changes and for names that come later.
const WIDTHS_MIN: Readonly<Record<string, number>> = { RECORD: 34, FROM: 8, TO: 8, CAUSE: 12, PHASE: 9, RTO: 8 };

/** Shows all FailoverRecords, then each change as it happens, until Ctrl-C. A name chooses one record, or all of a service. */
export async function watchRecords(client: AdminClient, table: KindTable, name: string | null, output: string): Promise<ExitCode> {
  const stop = stopOnEnd();
  const shown = new Map<string, string>();
  const style = terminalStyle();
  let first: (readonly Cell[])[] | null = [];
  let widths: readonly number[] = [];
  const write = (cells: readonly Cell[]): void => void process.stdout.write(`${formatRow(cells, widths, style)}\n`);
  const failed = await followKind(
    "FailoverRecord",
    client,
    {
      say: (text) => void process.stderr.write(text),
      take(event) {
        if (event.type === "WHOLE" && first !== null && output === "table") {
          widths = columnWidths(table.titles, first).map((width, at) => Math.max(width, WIDTHS_MIN[table.titles[at] ?? ""] ?? 0));
          write(table.titles.map(plainCell));
          for (const cells of first) write(cells);
          first = null;
        }
        if (event.type !== "ADDED" && event.type !== "MODIFIED") return;
        const { resource } = event;
        if (name !== null && resource.name !== name && textAt(resource.spec, "service") !== name) return;
        const object: JsonObject = { name: resource.name, spec: resource.spec, status: resource.status };
        const text = JSON.stringify(object);
        if (shown.get(resource.name) === text) return;
        shown.set(resource.name, text);
        const cells = table.cells(resource, Date.now());
        if (output !== "table") process.stdout.write(`${text}\n`);
        else if (first === null) write(cells);
        else first.push(cells);
      },
    },
    stop,
  );
  return failed === null ? 0 : refuse(explainClientError(failed));
}
