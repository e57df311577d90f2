import type { InstanceState, InstanceStatus } from "../api/service-status.ts";
import { isSameJson } from "../base/same-json.ts";
import { oncePer } from "../base/once-per.ts";
import { checkParts, type LadderChecker, type Wrong } from "./checker.ts";
import type { LadderView } from "./ladder-view.ts";

/** R1: two hot that nobody gave weights carry 80 and 20. */
const TWO_HOT = [80, 20];

/** All hot weights together are 100, or as much as the config asks for, two of them 80 and 20 unless it asks otherwise; whoever stands by weighs nothing. */
export const checkWeights = (): LadderChecker => checkParts("weights", ({ services }) => [services], wrongWeights);

const wrongWeights = ({ services }: LadderView): readonly Wrong[] =>
  services.flatMap(({ name, config, status }) => {
    const instances = status?.instances ?? [];
    const hot = instances.filter(({ level }) => level === "hot").map(({ weight }) => weight);
    const heavy = instances.filter(({ level, weight }) => level !== "hot" && weight > 0);
    const areAllThere = hot.length === config.hot.gpuCount / config.model.tensorParallelSize;
    const wrong = areAllThere ? wrongHotWeights(hot, config.traffic.weights) : null;
    return [
      ...(wrong === null ? [] : [{ whom: name, what: `the hot weights are ${wrong}` }]),
      ...heavy.map((one) => ({ whom: one.name, what: `stands by on ${one.level} with weight ${one.weight}` })),
    ];
  });

function wrongHotWeights(hot: readonly number[], asked: readonly number[] | null): string | null {
  const total = sum(hot);
  if (total !== (asked === null ? 100 : sum(asked))) return `${total} together`;
  return asked === null && hot.length === 2 && !isSameJson(hot, TWO_HOT) ? hot.join(" and ") : null;
}

const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);

/** The longest that a table may name an engine whose process is gone: a control plane's crash, its start, and a look at every service. */
const GONE_MAX_MS = 10_000;

/** No traffic belongs to an engine that is known to be dead. */
export function checkDeadWeight(): LadderChecker {
  let goneSince = new Map<string, number>();
  let looked: { readonly view: LadderView; readonly gone: readonly InstanceStatus[] } | null = null;
  return {
    name: "dead-weight",
    look(view) {
      const { atMs, services, engines, isControlled } = view;
      // Only what could be told counts.
      if (!isControlled) {
        goneSince = new Map();
        return [];
      }
      if (looked === null || looked.view.services !== services || looked.view.engines !== engines) looked = { view, gone: goneOf(view) };
      const keyed = looked.gone.map((one) => ({ one, key: `${one.uid} ${one.generation}` }));
      goneSince = new Map(keyed.map(({ key }) => [key, goneSince.get(key) ?? atMs]));
      return keyed
        .filter(({ key }) => atMs - (goneSince.get(key) ?? atMs) > GONE_MAX_MS)
        .map(({ one }) => ({
          whom: one.name,
          what: `is ${one.state} at generation ${one.generation}, which ended over ${GONE_MAX_MS} ms ago`,
        }));
    },
  };
}

/** Routed to, and without a process. */
function goneOf({ services, engines }: LadderView): readonly InstanceStatus[] {
  const running = new Set(engines.map(({ uid, generation }) => `${uid} ${generation}`));
  const routed = services.flatMap(({ status }) => (status?.instances ?? []).filter(({ state }) => isRouted(state)));
  return routed.filter(({ uid, generation }) => !running.has(`${uid} ${generation}`));
}

/** No request begins at a generation older than one that the store showed Ready before. */
export function checkGenerations(): LadderChecker {
  let readyBefore: ReadonlyMap<string, number> = new Map();
  const readyOf = oncePer(readyGenerations);
  return {
    name: "generation-fence",
    look(view) {
      const wrongs = view.begun.flatMap(({ instance, generation }) => {
        const ready = readyBefore.get(instance) ?? generation;
        return generation >= ready ? [] : [{ whom: instance, what: `took a request at generation ${generation}, and ${ready} is Ready` }];
      });
      readyBefore = readyOf(view.services);
      return wrongs;
    },
  };
}

function readyGenerations(services: LadderView["services"]): ReadonlyMap<string, number> {
  const instances = services.flatMap(({ status }) => status?.instances ?? []);
  return new Map(instances.filter(({ state }) => isRouted(state)).map(({ name, generation }) => [name, generation]));
}

const isRouted = (state: InstanceState): boolean => state === "Ready" || state === "Suspect";
