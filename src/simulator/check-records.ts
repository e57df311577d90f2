import type { FailoverRecord, RecordPhase, RtoClock } from "../api/failover-record.ts";
import { parseWall } from "../base/time.ts";
import type { LadderChecker } from "./checker.ts";

const OPEN: readonly RecordPhase[] = ["Requested", "Running"];

/** A record is asked for, runs, and ends once; what its clock has measured stays, and goes forward. */
export function checkRecords(): LadderChecker {
  const seen = new Map<string, FailoverRecord>();
  let looked: readonly FailoverRecord[] | null = null;
  return {
    name: "records",
    look({ records }) {
      if (records === looked) return [];
      looked = records;
      return records.flatMap((record) => {
        const before = seen.get(record.name);
        if (before === record) return [];
        seen.set(record.name, record);
        const wrongs = [...(before === undefined ? [] : wrongPhases(before, record)), ...wrongClock(record)];
        return wrongs.map((what) => ({ whom: record.name, what }));
      });
    },
  };
}

function wrongPhases({ status: before }: FailoverRecord, { status: after }: FailoverRecord): readonly string[] {
  if (before === null) return [];
  if (after === null) return [`loses its status, which was ${before.phase}`];
  const wrongs: string[] = [];
  if (!OPEN.includes(before.phase) && after.phase !== before.phase) wrongs.push(`ended as ${before.phase} and becomes ${after.phase}`);
  if (before.phase === "Running" && after.phase === "Requested") wrongs.push("ran, and is asked for again");
  // An operator's move is decided when its rung is ready: what was noted before that is the start of the wait.
  if (before.epoch === null) return wrongs;
  if (after.epoch !== before.epoch) wrongs.push(`belonged to epoch ${before.epoch} and now to ${after.epoch}`);
  for (const time of CONTROL_PLANE) {
    if (before.clock[time] !== null && after.clock[time] !== before.clock[time])
      wrongs.push(`${time} was ${before.clock[time]} and becomes ${after.clock[time]}`);
  }
  return wrongs;
}

const GATEWAY: readonly (keyof RtoClock)[] = ["fault", "detected", "firstGoodToken"];
const CONTROL_PLANE: readonly (keyof RtoClock)[] = ["decided", "routed"];
/** Each plane takes its own times by its own clock; a gateway acts before the control plane has decided. */
const ORDERS: readonly (readonly (keyof RtoClock)[])[] = [GATEWAY, CONTROL_PLANE, ["decided", "redundant"]];

function wrongClock({ status }: FailoverRecord): readonly string[] {
  if (status === null) return [];
  return ORDERS.flatMap((order) => {
    const times = order.flatMap((name) => {
      const text = status.clock[name];
      const atMs = text === null ? null : parseWall(text);
      return atMs === null ? [] : [{ name, text, atMs }];
    });
    return times.flatMap(({ name, text, atMs }, index) => {
      const last = times[index - 1];
      return last !== undefined && atMs < last.atMs ? [`${name} (${text}) comes before ${last.name} (${last.text})`] : [];
    });
  });
}
