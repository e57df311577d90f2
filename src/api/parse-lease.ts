import { err, ok, type Result } from "../base/result.ts";
import type { JsonObject } from "../base/json.ts";
import type { Resource } from "./resource.ts";

/** Who leads, as the store has it. */
export interface LeaseRecord {
  /** Unique to a start of a process; null = given back. */
  readonly holder: string | null;
  /** Grows by one with each tenure, whoever has it: the fencing token. From 1. */
  readonly term: number;
  /** Counts the holder's writes in its tenure: a record that changes belongs to somebody who lives. */
  readonly renewal: number;
}

export const leaseStatusJson = ({ holder, term, renewal }: LeaseRecord): JsonObject => ({ holder, term, renewal });

/** @returns null = nobody has ever held it. */
export function parseLease({ status }: Pick<Resource, "status">): Result<LeaseRecord | null, string> {
  if (status === null) return ok(null);
  const { holder, term, renewal } = status;
  const isRead = (holder === null || typeof holder === "string") && isCount(term) && isCount(renewal);
  return isRead ? ok({ holder, term, renewal }) : err("the lease's status holds no holder, term and renewal");
}

/** Of the object that every write of a leader looks at: written once a term. */
export const fenceSpec = (term: number): JsonObject => ({ term });

/** @returns the term that it was written for. */
export function parseFence({ spec }: Pick<Resource, "spec">): number {
  const term = spec["term"];
  return isCount(term) ? term : 0;
}

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
