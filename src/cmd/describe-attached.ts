import type { Resource } from "../api/resource.ts";
import { instanceRowsOf } from "./instance-rows.ts";
import { INSTANCE_TITLES, instanceCells } from "./instance-table.ts";
import { textAt, valueAt } from "./json-at.ts";
import { formatTable, type Style } from "./print-table.ts";
import { withoutControls } from "./explain.ts";

/** A service of servers that somebody else runs. */
export function formatAttachedService(name: string, engines: readonly Resource[], style: Style): string {
  const rows = instanceRowsOf(engines).map((row) => instanceCells(row).slice(1));
  const model = engines.map((engine) => textAt(engine.status, "model")).find((found) => found !== null) ?? "unknown yet";
  const lines = [
    `Service:   ${withoutControls(name)}, tenant default, tier silver, of attached engines`,
    `Model:     ${withoutControls(model)}`,
    "",
    "Instances:",
    ...formatTable(INSTANCE_TITLES.slice(1), rows, style)
      .split("\n")
      .map((line) => `  ${line}`),
    "",
    "What the promise does not cover today:",
    ...attachedExclusions(engines).map((line) => `  - ${withoutControls(line)}`),
  ];
  return `${lines.join("\n")}\n`;
}

export function attachedExclusions(engines: readonly Resource[]): readonly string[] {
  const blind = engines.filter((engine) => valueAt(engine.status, "hasProgress") !== true).map((engine) => engine.name);
  return [
    "Somebody else runs these servers: a dead one is probed until it answers again, never started, slept or ended.",
    "A stream whose engine dies after its first byte ends in an explicit error event; it is not continued on another engine.",
    ...(engines.length === 1 ? ["There is one server: while it is away, requests queue and are then refused."] : []),
    ...(blind.length === 0
      ? []
      : [`A hang behind a healthy answer is not seen at ${blind.join(", ")}: no progress counter in its metrics.`]),
  ];
}
