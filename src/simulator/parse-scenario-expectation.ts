import type { LadderPlace } from "../api/failover-record.ts";
import { PHASES } from "../api/service-status.ts";
import { LOST_KINDS, type Expectation, type LostKind } from "./scenario.ts";
import type { WordCursor } from "./word-cursor.ts";

const BOUND = { minMs: 1, maxMs: 600_000 };
const PLACES = ["hot", "warm", "cold", "degraded"] as const;
const [FIRST_PHASE, ...OTHER_PHASES] = PHASES;
const CONDITIONS = ["Ready", "RedundancyLost", "Held", "Advising", "Pinned", "TierInferred", "PromiseUnbacked", "Unplaceable"] as const;

/** The words behind `expect`. Worthless when the cursor holds an error. */
export function parseExpectation(cursor: WordCursor, services: readonly string[]): Expectation {
  const service = (): string => cursor.known("a service", services);
  const kind = cursor.choice("what is expected", [
    "no",
    "some",
    "rungs",
    "recovery",
    "wait",
    "whole",
    "failovers",
    "asleep",
    "phase",
    "condition",
  ]);
  switch (kind) {
    case "no":
      cursor.literal("lost");
      return { kind: "no-lost", but: cursor.takes("but") ? listOf(cursor, "a kind of end", LOST_KINDS) : [] };
    case "some":
      return { kind, lost: cursor.choice<LostKind>("a kind of end", LOST_KINDS) };
    case "rungs":
      return { kind, service: service(), levels: listOf<LadderPlace>(cursor, "a rung", PLACES) };
    case "recovery":
    case "wait": {
      const of = service();
      cursor.literal("<=");
      return { kind, service: of, maxMs: cursor.durationMs("a bound", BOUND) };
    }
    case "whole":
      cursor.literal("within");
      return { kind, withinMs: cursor.durationMs("a bound", BOUND) };
    case "failovers":
      return { kind, service: service(), count: cursor.count("a count of moves", { min: 0, max: 1_000 }) };
    case "asleep":
      return { kind, service: service() };
    case "phase":
      return { kind, service: service(), phase: cursor.choice("a phase", [FIRST_PHASE, ...OTHER_PHASES]) };
    case "condition":
      return { kind, service: service(), type: cursor.choice("a condition", CONDITIONS) };
  }
}

const LIST_MAX = 20;

/** At least one word, to the end of the line. */
function listOf<Word extends string>(cursor: WordCursor, what: string, words: readonly [Word, ...Word[]]): readonly Word[] {
  const list = [cursor.choice(what, words)];
  while (cursor.next !== null && list.length < LIST_MAX) list.push(cursor.choice(what, words));
  return list;
}
