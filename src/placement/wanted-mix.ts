import type { Gpu, GpuNode } from "../api/gpu-node.ts";
import { matchesNode } from "../api/match-node.ts";
import type { TenantId } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import { GpuDemand, type WantedShape } from "./gpu-demand.ts";
import type { InstanceRequest } from "./placement-request.ts";
import { shapeOf } from "./request-shape.ts";

/** A request for eight GPUs counts 64 times: a fleet in use must have nodes become whole again (ADR 0028). */
const GPUS_POWER = 2;
/** Beyond these the rarer ones are left out. */
const SHAPES_MAX = 512;
/** Who asks by others than these counts as if any node would do. */
const SELECTORS_MAX = 32;

/** What is wanted, as one node sees it. */
export interface NodeDemand {
  /** By the index of the GPU. */
  readonly ofGpu: ReadonlyMap<number, GpuDemand>;
  /** Requests for several GPUs of one node. */
  readonly gangs: readonly WantedGang[];
  /** Of all that is wanted. */
  readonly totalWeight: number;
}
export interface WantedGang {
  readonly gpuCount: number;
  readonly weight: number;
  /** See `GpuDemand.needMilli`; a demand that is not in it offers nothing. */
  readonly needMilli: ReadonlyMap<GpuDemand, readonly number[]>;
}

/** All that is wanted of a fleet, by shape: what there should always be room for. */
export class WantedMix {
  readonly #wanted: readonly InstanceRequest[];
  /** Read when somebody looks for a place: most plans find everything in its own. */
  #read: Read | null = null;
  readonly #byKind = new Map<string, GpuDemand>();
  readonly #byNode = new WeakMap<GpuNode, NodeDemand>();
  readonly #byKey = new Map<string, NodeDemand>();

  constructor(wanted: readonly InstanceRequest[]) {
    this.#wanted = wanted;
  }

  /** For nodes that see the same, the same object. */
  at(node: GpuNode): NodeDemand {
    const known = this.#byNode.get(node);
    if (known !== undefined) return known;
    this.#read ??= readOf(this.#wanted);
    const barred = new Set(this.#read.selectors.flatMap((request) => (matchesNode(node, request) ? [] : [selectorOf(request)])));
    const key = `${kindOf(node)} ${[...barred].join()}`;
    const demand = this.#byKey.get(key) ?? this.#demandOf(node, barred, this.#read);
    this.#byKey.set(key, demand);
    this.#byNode.set(node, demand);
    return demand;
  }

  #demandOf(node: GpuNode, barred: ReadonlySet<string>, { shapes, totalWeight }: Read): NodeDemand {
    const isOpen = ({ request }: WantedShape): boolean => !barred.has(selectorOf(request));
    const kinds = [...Map.groupBy(node.gpus, kindOfGpu)].flatMap(([kind, gpus]) => {
      const [first] = gpus;
      return first === undefined
        ? []
        : [{ gpus, demand: this.#demandOfKind(first, { key: `${kind} ${[...barred].join()}`, shapes, isOpen }) }];
    });
    const gangs = new Map<string, { readonly gpuCount: number; weight: number; readonly needMilli: Map<GpuDemand, readonly number[]> }>();
    for (const shape of shapes.filter(isGang)) {
      const { request, weight } = shape;
      const needMilli = new Map(isOpen(shape) ? kinds.map(({ demand }) => [demand, demand.needMilli(request)] as const) : []);
      const gpuCount = request.memberBytes.length;
      // Whole GPUs are wanted by many; they are one here, and so are those who can never come.
      const own = `${needMilli.size === 0 ? "" : gpuCount} ${[...needMilli.values()].join(" ")}`;
      const gang = gangs.get(own) ?? { gpuCount, weight: 0, needMilli };
      gang.weight += weight;
      gangs.set(own, gang);
    }
    const ofGpu = new Map(kinds.flatMap(({ gpus, demand }) => gpus.map(({ index }) => [index, demand] as const)));
    return { ofGpu, gangs: [...gangs.values()], totalWeight };
  }

  #demandOfKind(
    { model, memoryBytes, modes }: Gpu,
    { key, shapes, isOpen }: Pick<Read, "shapes"> & { readonly key: string; readonly isOpen: (shape: WantedShape) => boolean },
  ): GpuDemand {
    const known = this.#byKind.get(key);
    if (known !== undefined) return known;
    const singles = shapes.filter((shape) => !isGang(shape));
    const foreignWeight = singles.reduce((sum, shape) => (isOpen(shape) ? sum : sum + shape.weight), 0);
    // Who is kept from a GPU by another tenant on it is not looked at: the next one there may well be of the same tenant.
    const gpu = { model, memoryBytes, modes, cut: null, tenants: new Set<TenantId>(), unsafeToolkit: null };
    const demand = new GpuDemand(gpu, { singles: singles.filter(isOpen), foreignWeight });
    this.#byKind.set(key, demand);
    return demand;
  }
}

export const mixOf = oncePer((wanted: readonly InstanceRequest[]) => new WantedMix(wanted));

const isGang = ({ request }: WantedShape): boolean => request.memberBytes.length > 1;
const kindOfGpu = ({ model, memoryBytes, modes }: Omit<Gpu, "index">): string => `${model} ${memoryBytes} ${modes.join()}`;

/** Equal for nodes with the same GPUs at the same indexes. */
export const kindOf = oncePer(({ gpus }: GpuNode): string => gpus.map((gpu) => `${gpu.index} ${kindOfGpu(gpu)}`).join(" "));

const selectorOf = oncePer(({ capacityType, nodeSelector }: InstanceRequest): string =>
  JSON.stringify([capacityType, Object.entries(nodeSelector).toSorted(([left], [right]) => (left < right ? -1 : 1))]),
);
const keyOf = oncePer((request: InstanceRequest): string => `${shapeOf(request)} ${selectorOf(request)}`);

interface Read {
  /** The heaviest first. */
  readonly shapes: readonly WantedShape[];
  readonly totalWeight: number;
  /** One of those that ask for certain nodes, for each such wish. */
  readonly selectors: readonly InstanceRequest[];
}

function readOf(wanted: readonly InstanceRequest[]): Read {
  const shapes = shapesOf(wanted);
  const choosy = shapes.filter(({ request }) => request.capacityType !== null || Object.keys(request.nodeSelector).length > 0);
  const selectors = [...Map.groupBy(choosy, ({ request }) => selectorOf(request)).values()].flatMap(([first]) => first?.request ?? []);
  // Where nothing is wanted nothing is lost either.
  const totalWeight = Math.max(
    1,
    shapes.reduce((sum, { weight }) => sum + weight, 0),
  );
  return { shapes, totalWeight, selectors: selectors.slice(0, SELECTORS_MAX) };
}

/** In whatever order they are wanted, the same. */
function shapesOf(wanted: readonly InstanceRequest[]): readonly WantedShape[] {
  const weights = new Map<string, { readonly request: InstanceRequest; weight: number }>();
  for (const request of wanted) {
    const entry = weights.get(keyOf(request)) ?? { request, weight: 0 };
    entry.weight += request.memberBytes.length ** GPUS_POWER;
    weights.set(keyOf(request), entry);
  }
  return [...weights.entries()]
    .toSorted(([left, one], [right, other]) => other.weight - one.weight || (left < right ? -1 : 1))
    .slice(0, SHAPES_MAX)
    .map(([, entry]) => entry);
}
