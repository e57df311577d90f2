import { largest, percentile } from "../failover/statistics.ts";
import type { Pass } from "./measure.ts";

export interface ReconcileRow {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly must: string;
  readonly pass: boolean;
}

const LOOK_P99_MS_MAX = 2;
const PASS_MS_MAX = 200;

export const lookRows = (what: string, looksMs: readonly number[]): readonly ReconcileRow[] => [
  atMost(`${what}: p99 of ${looksMs.length}`, percentile(looksMs, 0.99), LOOK_P99_MS_MAX),
  reported(`${what}: p50`, percentile(looksMs, 0.5), "ms"),
];

/** The slowest pass counts: what a loss costs shows in one of those that follow it. */
export const passRows = (what: string, passes: readonly Pass[]): readonly ReconcileRow[] => [
  atMost(`${what}: slowest of ${passes.length}`, largest(passes.map(({ totalMs }) => totalMs)), PASS_MS_MAX),
  reported(
    `${what}: median`,
    percentile(
      passes.map(({ totalMs }) => totalMs),
      0.5,
    ),
    "ms",
  ),
  reported(`${what}: slowest by processor time`, largest(passes.map(({ cpuMs }) => cpuMs)), "ms"),
  reported(`${what}: slowest look of the partition loop`, largest(passes.map(({ partitionsMs }) => partitionsMs)), "ms"),
];

/** @param rounds the first is the process's first of its kind, and told apart: its code is being compiled. */
export const roundRows = (what: string, [first = [], ...rounds]: readonly (readonly Pass[])[]): readonly ReconcileRow[] => [
  ...passRows(what, rounds.flat()),
  reported(`${what}: slowest of the process's first ${first.length}`, largest(first.map(({ totalMs }) => totalMs)), "ms"),
];

export const reported = (name: string, value: number | null, unit: string): ReconcileRow => ({
  name,
  value,
  unit,
  must: "reported",
  pass: value !== null,
});

const atMost = (name: string, value: number | null, mostMs: number): ReconcileRow => ({
  name,
  value,
  unit: "ms",
  must: `<= ${mostMs}`,
  pass: value !== null && value <= mostMs,
});
