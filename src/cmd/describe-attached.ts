import { likenessOf, unlikeness } from "../api/attached-likeness.ts";
import { parseAttachedStatus } from "../api/parse-attached-status.ts";
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
    "Streams:",
    ...attachedStreams(engines).map((line) => `  ${withoutControls(line)}`),
    "",
    "What the promise does not cover today:",
    ...attachedExclusions(engines).map((line) => `  - ${withoutControls(line)}`),
  ];
  return `${lines.join("\n")}\n`;
}

export function attachedExclusions(engines: readonly Resource[]): readonly string[] {
  const blind = engines.filter((engine) => valueAt(engine.status, "hasProgress") !== true).map((engine) => engine.name);
  const cutStreams = standingsOf(engines).flatMap(({ name, goesOnAt }) => (goesOnAt.length === 0 ? [name] : []));
  return [
    "Somebody else runs these servers: a dead one is probed until it answers again, never started, slept or ended.",
    ...(cutStreams.length === 0
      ? []
      : [`A stream whose engine dies after its first byte ends in an explicit error event at ${cutStreams.join(", ")}: see Streams.`]),
    ...(engines.length === 1 ? ["There is one server: while it is away, requests queue and are then refused."] : []),
    ...(blind.length === 0
      ? []
      : [`A hang behind a healthy answer is not seen at ${blind.join(", ")}: no progress counter in its metrics.`]),
  ];
}

interface Standing {
  readonly name: string;
  /** Engines that are there and make the same tokens. */
  readonly goesOnAt: readonly string[];
  /** Why nowhere, or not at the others. */
  readonly whyNot: readonly string[];
}

/** Where the streams of each engine go on when it dies, or why nowhere. */
export const attachedStreams = (engines: readonly Resource[]): readonly string[] =>
  standingsOf(engines).map(({ name, goesOnAt, whyNot }) => {
    const where = goesOnAt.length === 0 ? "streams end with it" : `streams go on at: ${goesOnAt.join(", ")}`;
    return `${name}: ${[where, ...whyNot].join("; ")}`;
  });

function standingsOf(engines: readonly Resource[]): readonly Standing[] {
  const read = engines.map(({ name, status }) => {
    const parsed = status === null ? null : parseAttachedStatus(status);
    return { name, status: parsed?.ok === true ? parsed.value : null };
  });
  return read.map(({ name, status }): Standing => {
    const others = read.filter((other) => other.name !== name);
    if (status === null) return { name, goesOnAt: [], whyNot: ["nothing is known of it yet"] };
    if (others.length === 0) return { name, goesOnAt: [], whyNot: ["it is the only one"] };
    if (likenessOf(status) === null) return { name, goesOnAt: [], whyNot: [unlikeness(status, status) ?? "nothing is known of it yet"] };
    const goesOnAt: string[] = [];
    const whyNot: string[] = [];
    for (const other of others) {
      const why = other.status === null ? "nothing is known of it yet" : unlikeness(status, other.status);
      if (why !== null) whyNot.push(`not at ${other.name}: ${why}`);
      else if (other.status?.state === "Ready") goesOnAt.push(other.name);
      else whyNot.push(`not at ${other.name}: it is away`);
    }
    return { name, goesOnAt, whyNot };
  });
}
