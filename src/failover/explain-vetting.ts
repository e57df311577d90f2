import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { NodeName } from "../base/ids.ts";
import { formatBytes } from "../base/bytes.ts";
import type { Explanation } from "../base/result.ts";
import type { InstanceRequest } from "../placement/placement-request.ts";
import { wakeBudgetMs } from "../routing/wake-wish.ts";
import {
  DETECTION_MS,
  mayActivate,
  recoveryMs,
  transferMs,
  VERIFICATION_MS,
  verifiedMoveMs,
  type RecoveryTime,
  type WeightsMove,
} from "./recovery-time.ts";

/** `12.7 s`, `0.25 s`: two digits after the point below a second, one above. */
export const formatSeconds = (ms: number): string => `${Number((ms / 1_000).toFixed(ms < 1_000 ? 2 : 1))} s`;

const NEXT = "Change that, or let it in with --force: it then carries the condition PromiseAtRisk.";

const rateOf = ({ bytes, bytesPerSecond, link }: WeightsMove): string =>
  `${formatBytes(bytes)} over ${formatBytes(bytesPerSecond)}/s ${link}`;

/** @param isDiskFaster than the network, on some node that it may use. */
export function explainImpossible(config: HotStandbyConfig, move: WeightsMove, isDiskFaster: boolean): Explanation {
  const { name, warm, failoverPolicy } = config;
  const sum = `${move.rung === "cold" ? "cold loads" : "a wake moves"} ${rateOf(move)} = ${formatSeconds(transferMs(move))} + ${formatSeconds(move.fixedMs)}`;
  const isIdleSleeper = warm !== null && !mayActivate(config);
  const ways = [
    ...(move.rung === "cold" && move.link === "network" && isDiskFaster ? ["imageCache"] : []),
    ...(isIdleSleeper ? ["autoFailover with a maxFailoverCount above 0"] : []),
    warm === null ? "a warm instance" : "rest: resident",
    "a longer rtoTarget",
  ];
  const beside = warm === null ? "no warm one" : "a warm one that sleeps";
  return {
    what: `${name}: ${sum}, alone over rtoTarget ${formatSeconds(failoverPolicy.rtoTargetMs)}: use ${joinOr(ways)}.`,
    why: `It has one hot instance and ${beside}: when that engine dies, requests wait for this at least, on the fastest node that it may use (${move.node}).`,
    next: NEXT,
  };
}

export function explainHostMemory({ name }: HotStandbyConfig, sleeper: InstanceRequest, largestBytes: number): Explanation {
  const host = `the largest node that it may use has ${formatBytes(largestBytes)} of host memory`;
  return {
    what: `${name}: ${sleeper.instance} keeps ${formatBytes(sleeper.hostBytes)} of weights in host memory, and ${host}: use rest: resident with lend: never, or a node with more.`,
    why: "A warm instance that may sleep keeps a copy of its weights in the memory of its host, from its start.",
    next: NEXT,
  };
}

/** One loss, as a sum: each part is what somebody can change. */
export function explainRecovery({ name, failoverPolicy }: HotStandbyConfig, loss: string, time: RecoveryTime): string {
  const { move, queuedMs, behind, besideMs, beside, prefill } = time;
  const parts = [
    `${formatSeconds(DETECTION_MS)} to find a hang`,
    ...(queuedMs === 0 ? [] : [`${formatSeconds(queuedMs)} behind ${firstOf(behind)}`]),
    ...(beside === null ? [] : [`${formatSeconds(besideMs)} beside ${beside}`]),
    ...(move === null ? [] : [moveText(move), `${formatSeconds(VERIFICATION_MS)} to verify`]),
    `${formatSeconds(prefill.ms)} to read ${prefill.contexts} x ${prefill.tokensEach} tokens again`,
  ];
  return `${name}: loss of ${loss}: ${parts.join(" + ")} = ${formatSeconds(recoveryMs(time))}, over rtoTarget ${formatSeconds(failoverPolicy.rtoTargetMs)}.`;
}

/** As many names as a line carries. */
const NAMES_MAX = 3;
const firstOf = (names: readonly string[]): string =>
  names.length <= NAMES_MAX ? names.join(", ") : `${names.slice(0, NAMES_MAX).join(", ")} and ${names.length - NAMES_MAX} more`;

const moveText = (move: WeightsMove): string =>
  `${formatSeconds(transferMs(move) + move.fixedMs)} for the ${move.rung === "warm" ? "wake" : "load"} of ${rateOf(move)} of ${move.node}`;

/** A wake that takes longer than any gateway waits for it. */
export function explainGivenUp(
  { name, failoverPolicy }: HotStandbyConfig,
  move: WeightsMove,
  { besideMs, beside }: Pick<RecoveryTime, "besideMs" | "beside">,
): string {
  const share = beside === null ? "" : ` + ${formatSeconds(besideMs)} beside ${beside}`;
  const sum = `${moveText(move)}${share} + ${formatSeconds(VERIFICATION_MS)} to verify = ${formatSeconds(verifiedMoveMs(move, besideMs))}`;
  return `${name}: ${sum}, and a wake is given up after ${formatSeconds(wakeBudgetMs(failoverPolicy))}, its share of rtoTarget ${formatSeconds(failoverPolicy.rtoTargetMs)}.`;
}

/** A loss that leaves nothing, and no node to begin again on. */
export const explainNothingLeft = ({ name, failoverPolicy }: HotStandbyConfig, loss: string): string =>
  `${name}: loss of ${loss}: nothing of it is left, and no other node that it may use: rtoTarget ${formatSeconds(failoverPolicy.rtoTargetMs)} cannot be kept.`;

export const explainLast = ({ name, failoverPolicy }: HotStandbyConfig, lastMs: number): string =>
  `${name}: its last failover took ${formatSeconds(lastMs)}, over rtoTarget ${formatSeconds(failoverPolicy.rtoTargetMs)}.`;

export const explainFullHost = (
  { name }: HotStandbyConfig,
  of: { readonly node: NodeName; readonly neededBytes: number; readonly hostBytes: number },
): string =>
  `${name}: the sleepers of ${of.node} keep ${formatBytes(of.neededBytes)} of weights, and its host memory is ${formatBytes(of.hostBytes)}: not all of them can sleep there.`;

export const explainNoHost = ({ name }: HotStandbyConfig, sleeper: InstanceRequest, freeBytes: number): string =>
  `${name}: ${sleeper.instance} keeps ${formatBytes(sleeper.hostBytes)} of weights in host memory, and beside the other sleepers the node with the most has ${formatBytes(freeBytes)} left.`;

const joinOr = (ways: readonly string[]): string =>
  ways.length < 2 ? ways.join("") : `${ways.slice(0, -1).join(", ")}, or ${ways.at(-1)}`;
