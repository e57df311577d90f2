import assert from "node:assert/strict";
import { test } from "node:test";
import type { LeaseRecord } from "../api/parse-lease.ts";
import {
  decideLease,
  judgeRenewal,
  LEASE_HOLD_MS,
  LEASE_LOOK_MS,
  LEASE_RENEW_MS,
  LEASE_RETRY_MS,
  LEASE_TTL_MS,
  type LeaseDecision,
} from "./decide-lease.ts";

const of = (holder: string | null, term: number, renewal = 4): LeaseRecord => ({ holder, term, renewal });
const take = (term: number): LeaseDecision => ({ type: "take", next: { holder: "me", term, renewal: 0 } });
const wait = (lookAgainAfterMs: number): LeaseDecision => ({ type: "wait", lookAgainAfterMs });

const decisions: readonly {
  readonly name: string;
  readonly record: LeaseRecord | null;
  readonly unchangedForMs: number;
  readonly decided: LeaseDecision;
}[] = [
  { name: "one that nobody has ever held is taken at once, as term 1", record: null, unchangedForMs: 0, decided: take(1) },
  { name: "one that was given back is taken at once, as the next term", record: of(null, 7), unchangedForMs: 0, decided: take(8) },
  {
    name: "one seen for the first time is waited for, however old it may be",
    record: of("other", 7),
    unchangedForMs: 0,
    decided: wait(LEASE_LOOK_MS),
  },
  {
    name: "one that stands still a moment less than the ttl is waited for",
    record: of("other", 7),
    unchangedForMs: LEASE_TTL_MS - 1,
    decided: wait(1),
  },
  { name: "one that has stood still for the ttl is taken", record: of("other", 7), unchangedForMs: LEASE_TTL_MS, decided: take(8) },
  { name: "one in one's own name begins a new term: the old tenure is over", record: of("me", 7), unchangedForMs: 0, decided: take(8) },
];
for (const { name, record, unchangedForMs, decided } of decisions) {
  test(`a lease: ${name}`, () => assert.deepEqual(decideLease({ record, unchangedForMs }, "me"), decided));
}

const renewals = [
  { name: "its answer was lost", stored: of("me", 7, 4), decided: "renewed" },
  { name: "it was not written", stored: of("me", 7, 3), decided: "not-renewed" },
  { name: "somebody else has taken it", stored: of("other", 8, 0), decided: "lost" },
  { name: "a later tenure of the same process has it", stored: of("me", 8, 4), decided: "lost" },
  { name: "it is gone", stored: null, decided: "lost" },
] as const;
for (const { name, stored, decided } of renewals) {
  test(`a renewal that was not confirmed: ${name}`, () => assert.equal(judgeRenewal(stored, of("me", 7, 4)), decided));
}

test("a renewal and two tries more come before the hold ends, and the hold ends before a stand-by takes over", () => {
  assert.ok(LEASE_RENEW_MS + 2 * LEASE_RETRY_MS <= LEASE_HOLD_MS && LEASE_HOLD_MS < LEASE_TTL_MS);
});
