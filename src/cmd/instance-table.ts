import type { InstanceState, InstanceStatus } from "../api/service-status.ts";
import { formatTable, plainCell, terminalStyle, type Cell, type Tone } from "./print-table.ts";

/** One instance of one service, attached ones too. */
export interface InstanceRow {
  readonly service: string;
  readonly instance: Pick<InstanceStatus, "name" | "level" | "weight" | "members" | "endpoint" | "pid" | "generation" | "message"> & {
    /** `Removed` = no longer asked for: seen by those who follow. */
    readonly state: InstanceState | "Removed";
  };
}

export const INSTANCE_TITLES = ["SERVICE", "INSTANCE", "LEVEL", "STATE", "WEIGHT", "GPU", "ENDPOINT", "PID", "GEN", "MESSAGE"] as const;

const TONES: Readonly<Record<InstanceState | "Removed", Tone>> = {
  Pending: "busy",
  Starting: "busy",
  Asleep: "plain",
  Waking: "busy",
  Verifying: "busy",
  Ready: "good",
  Suspect: "bad",
  Draining: "busy",
  Fenced: "bad",
  Failed: "bad",
  Removed: "plain",
};

export function instanceCells({ service, instance }: InstanceRow): readonly Cell[] {
  const gpus = instance.members.map((member) => `${member.node}/${member.gpu}`).join(",");
  return [
    plainCell(service),
    plainCell(instance.name),
    plainCell(instance.level),
    { text: instance.state, tone: TONES[instance.state] },
    plainCell(`${instance.weight}`),
    plainCell(gpus === "" ? "-" : gpus),
    plainCell(instance.endpoint ?? "-"),
    plainCell(instance.pid === null ? "-" : `${instance.pid}`),
    plainCell(`${instance.generation}`),
    plainCell(instance.message),
  ];
}

/** Writes the table line by line, in the order given. */
export function printInstanceTable(rows: readonly InstanceRow[], write: (line: string) => void): void {
  for (const line of formatTable(INSTANCE_TITLES, rows.map(instanceCells), terminalStyle()).split("\n")) write(line);
}
