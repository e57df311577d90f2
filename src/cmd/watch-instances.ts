import type { Kind, Resource } from "../api/resource.ts";
import { explainClientError, type AdminClient } from "./client.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { followKind, stopOnEnd } from "./follow-kind.ts";
import { INSTANCE_KINDS, instanceJson, instanceRowsOf, isWanted } from "./instance-rows.ts";
import { INSTANCE_TITLES, instanceCells, type InstanceRow } from "./instance-table.ts";
import type { AdminWatchEvent } from "./parse-admin-answer.ts";
import { columnWidths, formatRow, plainCell, terminalStyle, type Cell } from "./print-table.ts";

const TITLES = ["TIME", ...INSTANCE_TITLES] as const;
// Room for what changes most, so that later rows stay in their columns.
const WIDTHS_MIN: Readonly<Record<string, number>> = { STATE: 9, PID: 7, GEN: 3, ENDPOINT: 22 };

/** Shows all instances, then each change as it happens, until Ctrl-C. Lasts over restarts of the control plane. */
export async function watchInstances(client: AdminClient, name: string | null, output: string): Promise<ExitCode> {
  const stop = stopOnEnd();
  const view = createInstanceView(name, output === "table" ? tablePrinter() : linePrinter());
  const outcomes = await Promise.all(INSTANCE_KINDS.map((kind) => followKind(kind, client, followerOf(kind, view), stop)));
  const failed = outcomes.find((outcome) => outcome !== null) ?? null;
  return failed === null ? 0 : refuse(explainClientError(failed));
}

const followerOf = (kind: Kind, view: InstanceView) => ({
  take: (event: AdminWatchEvent) => view.take(kind, event),
  // One of the two watches speaks for both.
  say: (text: string) => void (kind === "HotStandbyConfig" && process.stderr.write(text)),
});

/** Prints rows; `whole` once, when everything that was there at the start has been given. */
interface RowPrinter {
  row(row: InstanceRow): void;
  whole(): void;
}

interface InstanceView {
  take(kind: Kind, event: AdminWatchEvent): void;
}

/** Turns resource changes into changed rows; after a reconnection only what is different is printed. */
export function createInstanceView(name: string | null, printer: RowPrinter): InstanceView {
  const shown = new Map<string, string>();
  const resources = new Map<string, Resource>();
  /** Seen since the watch began anew: what is missing at its WHOLE was deleted meanwhile. */
  const seen = new Map<Kind, Set<string>>();
  const whole = new Set<Kind>();

  const rowsOf = (resource: Resource | undefined): readonly InstanceRow[] =>
    resource === undefined ? [] : instanceRowsOf([resource]).filter((row) => isWanted(row, name));
  const replace = (key: string, next: Resource | null): void => {
    const before = rowsOf(resources.get(key));
    const after = rowsOf(next ?? undefined);
    if (next === null) resources.delete(key);
    else resources.set(key, next);
    for (const row of after) {
      const text = JSON.stringify(instanceJson(row));
      if (shown.get(row.instance.name) === text) continue;
      shown.set(row.instance.name, text);
      printer.row(row);
    }
    for (const row of before) {
      if (after.some((other) => other.instance.name === row.instance.name)) continue;
      shown.delete(row.instance.name);
      printer.row({
        ...row,
        instance: { ...row.instance, state: "Removed", weight: 0, pid: null, endpoint: null, message: "no longer asked for" },
      });
    }
  };
  return {
    take(kind, event) {
      const ofKind = seen.get(kind) ?? new Set<string>();
      seen.set(kind, ofKind);
      if (event.type === "WHOLE") {
        for (const [key, resource] of resources) {
          if (resource.kind === kind && !ofKind.has(key)) replace(key, null);
        }
        seen.delete(kind);
        if (!whole.has(kind) && whole.add(kind).size === INSTANCE_KINDS.length) printer.whole();
      } else if (event.type !== "ALIVE") {
        const key = `${kind}/${event.resource.name}`;
        ofKind.add(key);
        replace(key, event.type === "DELETED" ? null : event.resource);
      }
    },
  };
}

const linePrinter = (): RowPrinter => ({
  row: (row) => void process.stdout.write(`${JSON.stringify(instanceJson(row))}\n`),
  whole: () => undefined,
});

/** The first rows are kept until all are there, so that the columns fit them. */
function tablePrinter(): RowPrinter {
  const style = terminalStyle();
  const first: (readonly Cell[])[] = [];
  let widths: readonly number[] | null = null;
  const print = (cells: readonly Cell[]): void => void process.stdout.write(`${formatRow(cells, widths ?? [], style)}\n`);
  return {
    row(row) {
      const cells = [plainCell(timeOfDay(new Date())), ...instanceCells(row)];
      if (widths === null) first.push(cells);
      else print(cells);
    },
    whole() {
      widths = columnWidths(TITLES, first).map((width, column) => Math.max(width, WIDTHS_MIN[TITLES[column] ?? ""] ?? 0));
      print(TITLES.map(plainCell));
      for (const cells of first) print(cells);
    },
  };
}

/** Local, with milliseconds: a failover is over within one second. */
const timeOfDay = (at: Date): string => `${at.toTimeString().slice(0, 8)}.${`${at.getMilliseconds()}`.padStart(3, "0")}`;
