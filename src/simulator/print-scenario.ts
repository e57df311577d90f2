import { GPU_APPLICATION_MODES } from "../api/fault.ts";
import { GB } from "../base/bytes.ts";
import { formatDuration } from "../base/time.ts";
import type {
  EngineFault,
  Expectation,
  GpuLossPlace,
  Scenario,
  ScenarioEvent,
  ScenarioNode,
  ScenarioService,
  Setting,
  StatedExpectation,
} from "./scenario.ts";

/** The file that says exactly this: read again it is the same scenario. */
export function printScenario({ about, nodes, services, loads, runMs, events, expectations }: Scenario): string {
  const lines = [
    ...about.map((line) => (line === "" ? "#" : `# ${line}`)),
    ...nodes.map(printNode),
    ...services.map(printService),
    ...loads.map(({ service, perSecond }) => `load ${service} ${perSecond}/s`),
    `run ${formatDuration(runMs)}`,
    ...events.map(({ atMs, event }) => `at ${formatDuration(atMs)} ${printEvent(event)}`),
    ...expectations.map(printStated),
  ];
  return `${lines.join("\n")}\n`;
}

const printNode = ({ name, zone, gpuCount }: ScenarioNode): string => `node ${name} zone ${zone} gpus ${gpuCount}`;

function printService({ name, tier, hotCount, warmCount, isWarmAsleep, hasReserve, policy }: ScenarioService): string {
  const { isAutomatic, budget, windowMs, soakMs, queueMs } = policy;
  return [
    `use ${name} tier ${tier} hot ${hotCount}`,
    ...(warmCount === 0 ? [] : [`warm ${warmCount}`]),
    ...(isWarmAsleep ? ["asleep"] : []),
    ...(hasReserve ? ["cold"] : []),
    ...(isAutomatic ? [] : ["advise"]),
    ...(budget === null ? [] : [`budget ${budget}`]),
    ...(windowMs === null ? [] : [`window ${formatDuration(windowMs)}`]),
    ...(soakMs === null ? [] : [`soak ${formatDuration(soakMs)}`]),
    ...(queueMs === null ? [] : [`queue ${formatDuration(queueMs)}`]),
  ].join(" ");
}

export function printEvent(event: ScenarioEvent): string {
  switch (event.kind) {
    case "kill":
    case "stop":
    case "continue":
      return `${event.kind} ${event.targets.join(" ")}`;
    case "fault": {
      const { verb, amount } = wordsOf(event.fault);
      return [verb, ...event.targets, ...amount, `for ${formatDuration(event.forMs)}`].join(" ");
    }
    case "lose":
      return `lose ${printPlace(event.place)}${event.mode === "fallen_off_bus" ? "" : ` as ${event.mode}`} for ${formatDuration(event.forMs)}`;
    case "xid":
      return `xid ${GPU_APPLICATION_MODES[event.mode].xid} ${event.targets.join(" ")}`;
    case "slow-teardown":
      return `slow-teardown ${printPlace(event.place)} takes ${formatDuration(event.teardownMs)} for ${formatDuration(event.forMs)}`;
    case "kill-control-plane":
    case "start-control-plane":
    case "restart-control-plane":
    case "kill-gateway":
      return event.kind.replace("-", " ");
    case "cut-link":
      return `cut link for ${formatDuration(event.forMs)}`;
    case "failover":
      return `failover ${event.service}${event.to === null ? "" : ` to ${event.to}`}`;
    case "failback":
    case "resume":
      return `${event.kind} ${event.service}`;
    case "set":
      return `set ${event.service} ${printSetting(event.setting)}`;
    case "surge":
      return `surge ${event.service} ${event.perSecond}/s for ${formatDuration(event.forMs)}`;
    case "bad-requests":
    case "hang-ups":
      return `${event.kind} ${event.service} ${event.count}`;
  }
}

function wordsOf(fault: EngineFault): { readonly verb: string; readonly amount: readonly string[] } {
  switch (fault.kind) {
    case "hang":
    case "failed-wake":
    case "ignores-share":
      return { verb: fault.kind, amount: [] };
    case "grabs-memory":
      return { verb: fault.kind, amount: [`${Math.round(fault.bytes / GB)}GB`] };
    case "garbage-after-wake":
      return { verb: "garbage-wake", amount: [] };
    case "stall":
    case "truncate":
    case "reset":
      return { verb: fault.kind, amount: [`after ${fault.afterTokens}`] };
    case "slow":
    case "slow-wake":
      return { verb: fault.kind, amount: [`x${fault.factor}`] };
    case "error-ratio":
      return { verb: "errors", amount: [`${Math.round(fault.ratio * 100)}%`] };
  }
}

function printPlace(place: GpuLossPlace): string {
  switch (place.kind) {
    case "gpu":
      return `gpu ${place.node}/${place.gpu}`;
    case "node":
      return `node ${place.node}`;
    case "zone":
      return `zone ${place.zone}`;
  }
}

function printSetting(setting: Setting): string {
  switch (setting.kind) {
    case "revision":
      return `revision ${setting.revision}`;
    case "budget":
      return `budget ${setting.budget}`;
    case "soak":
      return `soak ${formatDuration(setting.soakMs)}`;
  }
}

const printStated = ({ planted, expectation }: StatedExpectation): string =>
  `${planted === null ? "expect" : `planted ${planted}:`} ${printExpectation(expectation)}`;

export function printExpectation(expectation: Expectation): string {
  switch (expectation.kind) {
    case "no-lost":
      return expectation.but.length === 0 ? "no lost" : `no lost but ${expectation.but.join(" ")}`;
    case "some":
      return `some ${expectation.lost}`;
    case "rungs":
      return `rungs ${expectation.service} ${expectation.levels.join(" ")}`;
    case "recovery":
    case "wait":
      return `${expectation.kind} ${expectation.service} <= ${formatDuration(expectation.maxMs)}`;
    case "whole":
      return `whole within ${formatDuration(expectation.withinMs)}`;
    case "failovers":
      return `failovers ${expectation.service} ${expectation.count}`;
    case "asleep":
      return `asleep ${expectation.service}`;
    case "phase":
      return `phase ${expectation.service} ${expectation.phase}`;
    case "condition":
      return `condition ${expectation.service} ${expectation.type}`;
  }
}
