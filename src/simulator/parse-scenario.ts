import { err, ok, type Explanation, type Result } from "../base/result.ts";
import { parseExpectation } from "./parse-scenario-expectation.ts";
import { parseScenarioEvent } from "./parse-scenario-event.ts";
import {
  DEFAULT_NODES,
  type Scenario,
  type ScenarioLoad,
  type ScenarioNode,
  type ScenarioService,
  type StatedExpectation,
  type TimedEvent,
} from "./scenario.ts";
import { WordCursor, type WordError } from "./word-cursor.ts";

/** One wrong line of a scenario file. Lines and columns count from 1. */
export interface ScenarioError extends WordError {
  readonly code: "WRONG_SCENARIO";
  readonly line: number;
}

export const explainScenarioError = (path: string, { line, column, what, next }: ScenarioError): Explanation => ({
  what: `${path}:${line}:${column}: ${what}`,
  why: "Every line of a scenario is one sentence of a fixed form.",
  next,
});

const CHARACTERS_MAX = 65_536;
const NODES_MAX = 16;
const GPUS_MAX = 8;
const SERVICES_MAX = 8;
const INSTANCES_MAX = 8;
const RATE_MAX = 1_000;
const RUN_MAX_MS = 600_000;
const EVENTS_MAX = 100;
const EXPECTATIONS_MAX = 50;
const BUDGET_MAX = 10_000;

/** What the lines above have said. */
interface Said {
  readonly about: string[];
  readonly nodes: ScenarioNode[];
  readonly services: ScenarioService[];
  readonly loads: ScenarioLoad[];
  runMs: number | null;
  readonly events: TimedEvent[];
  readonly expectations: StatedExpectation[];
}

/** @errors every wrong line, in order; or what a whole that reads well lacks, at its last line. */
export function parseScenario(text: string): Result<Scenario, readonly ScenarioError[]> {
  if (text.length > CHARACTERS_MAX)
    return err([wrong(1, { column: 1, what: `The scenario has more than ${CHARACTERS_MAX} characters.`, next: "Split it." })]);
  const said: Said = { about: [], nodes: [], services: [], loads: [], runMs: null, events: [], expectations: [] };
  const errors: ScenarioError[] = [];
  const lines = text.split(/\r?\n/);
  let isHead = true;
  for (const [index, line] of lines.entries()) {
    const bare = line.trim();
    if (bare.startsWith("#")) {
      if (isHead) said.about.push(bare.slice(1).trim());
      continue;
    }
    if (bare === "") continue;
    isHead = false;
    const cursor = new WordCursor(line);
    readLine(cursor, said);
    if (cursor.error !== null) errors.push(wrong(index + 1, cursor.error));
  }
  const lacking = lackOf(said);
  const { runMs } = said;
  if (errors.length > 0) return err(errors);
  if (lacking !== null || runMs === null)
    return err([wrong(lines.length, { column: 1, ...(lacking ?? { what: "Nothing runs.", next: "Write run." }) })]);
  return ok({ ...said, runMs });
}

const wrong = (line: number, { column, what, next }: WordError): ScenarioError => ({ code: "WRONG_SCENARIO", line, column, what, next });

function lackOf({ services, loads, runMs, expectations }: Said): { readonly what: string; readonly next: string } | null {
  if (services.length === 0) return { what: "No service runs.", next: "Write a line such as: use gold tier gold hot 1 warm 1" };
  if (loads.length === 0) return { what: "Nobody asks anything.", next: "Write a line such as: load gold 20/s" };
  if (runMs === null) return { what: "It does not say how long requests are started.", next: "Write a line such as: run 10s" };
  if (expectations.length === 0) return { what: "Nothing is expected of it.", next: "Write a line such as: expect no lost" };
  return null;
}

const VERBS = ["node", "use", "load", "run", "at", "expect", "planted"] as const;

function readLine(cursor: WordCursor, said: Said): void {
  switch (cursor.choice("how a line begins", VERBS)) {
    case "node":
      return readNode(cursor, said);
    case "use":
      return readService(cursor, said);
    case "load":
      return readLoad(cursor, said);
    case "run":
      return readRun(cursor, said);
    case "at":
      return readEvent(cursor, said);
    case "expect":
      return keepExpectation(cursor, said, null);
    case "planted": {
      const [, name = ""] = cursor.matching(
        "the name of a planted bug",
        /^([a-z][a-z0-9-]{0,38}):$/,
        "Write a name with a colon: one-zone:",
      );
      return keepExpectation(cursor, said, name);
    }
  }
}

function readNode(cursor: WordCursor, { nodes, services, events }: Said): void {
  const name = cursor.name("a node's name");
  if (nodes.some((node) => node.name === name)) cursor.fail(`${name} is declared twice.`, "Give every node a name of its own.");
  cursor.literal("zone");
  const zone = cursor.name("a zone's name");
  cursor.literal("gpus");
  const gpuCount = cursor.count("a count of GPUs", { min: 1, max: GPUS_MAX });
  cursor.end();
  if (services.length > 0 || events.length > 0) cursor.fail("A node stands below a service or an event.", "Write nodes first.");
  if (nodes.length >= NODES_MAX) cursor.fail(`There are more than ${NODES_MAX} nodes.`, "Leave some out.");
  if (cursor.error === null) nodes.push({ name, zone, gpuCount });
}

function readService(cursor: WordCursor, { services }: Said): void {
  const name = cursor.name("a service's name");
  if (services.some((service) => service.name === name)) cursor.fail(`${name} is declared twice.`, "Give every service a name of its own.");
  cursor.literal("tier");
  const tier = cursor.choice("a tier", ["platinum", "gold", "silver"]);
  cursor.literal("hot");
  const hotCount = cursor.count("a count of instances", { min: 1, max: INSTANCES_MAX });
  const warmCount = cursor.takes("warm") ? cursor.count("a count of instances", { min: 1, max: INSTANCES_MAX }) : 0;
  const isWarmAsleep = warmCount > 0 && cursor.takes("asleep");
  const hasReserve = cursor.takes("cold");
  const span = { minMs: 100, maxMs: RUN_MAX_MS };
  const policy = {
    isAutomatic: !cursor.takes("advise"),
    budget: cursor.takes("budget") ? cursor.count("a count of moves", { min: 0, max: BUDGET_MAX }) : null,
    windowMs: cursor.takes("window") ? cursor.durationMs("a window", span) : null,
    soakMs: cursor.takes("soak") ? cursor.durationMs("a soak", span) : null,
    queueMs: cursor.takes("queue") ? cursor.durationMs("a queue's time", span) : null,
  };
  if (!cursor.isAtEnd) {
    cursor.choice("the next word of a service", ["warm", "asleep", "cold", "advise", "budget", "window", "soak", "queue"]);
    cursor.fail("This word stands too late.", "The order is: warm N asleep cold advise budget N window D soak D queue D.");
  }
  if (services.length >= SERVICES_MAX) cursor.fail(`There are more than ${SERVICES_MAX} services.`, "Leave some out.");
  if (cursor.error === null) services.push({ name, tier, hotCount, warmCount, isWarmAsleep, hasReserve, policy });
}

function readLoad(cursor: WordCursor, { loads, services }: Said): void {
  const service = cursor.known("a service", namesOf(services));
  if (loads.some((load) => load.service === service)) cursor.fail(`${service} has a load already.`, "Write its load once, or a surge.");
  const perSecond = cursor.count("a rate", { min: 1, max: RATE_MAX, suffix: "/s" });
  cursor.end();
  if (cursor.error === null) loads.push({ service, perSecond });
}

function readRun(cursor: WordCursor, said: Said): void {
  if (said.runMs !== null) cursor.fail("The run is said twice.", "Keep one of the lines.");
  if (said.events.length > 0) cursor.fail("The run stands below an event.", "Write it before the events: they come while it lasts.");
  const runMs = cursor.durationMs("a run's length", { minMs: 1_000, maxMs: RUN_MAX_MS });
  cursor.end();
  if (cursor.error === null) said.runMs = runMs;
}

function readEvent(cursor: WordCursor, { nodes, services, runMs, events }: Said): void {
  const atMs = cursor.durationMs("a time of the run", { minMs: 0, maxMs: RUN_MAX_MS });
  if (runMs === null) cursor.fail("An event stands above the run.", "Write a line such as run 10s first.");
  else if (atMs > runMs) cursor.fail("The event comes when the run is over.", "Write an earlier time, or a longer run.");
  if (atMs < (events.at(-1)?.atMs ?? 0)) cursor.fail("The event comes before the one above.", "Write events in order of time.");
  const event = parseScenarioEvent(cursor, { nodes: nodes.length === 0 ? DEFAULT_NODES : nodes, services: namesOf(services) });
  cursor.end();
  if (events.length >= EVENTS_MAX) cursor.fail(`There are more than ${EVENTS_MAX} events.`, "Leave some out.");
  if (cursor.error === null) events.push({ atMs, event });
}

function keepExpectation(cursor: WordCursor, { services, expectations }: Said, planted: string | null): void {
  const expectation = parseExpectation(cursor, namesOf(services));
  cursor.end();
  if (expectations.length >= EXPECTATIONS_MAX) cursor.fail(`There are more than ${EXPECTATIONS_MAX} expectations.`, "Leave some out.");
  if (cursor.error === null) expectations.push({ planted, expectation });
}

const namesOf = (services: readonly ScenarioService[]): readonly string[] => services.map(({ name }) => name);
