import { fitsNode, type FleetIndex, type PlacementShape } from "./fleet-index.ts";

/** Short of places for the largest usual request: below the first share of the nodes that have as many GPUs, until above the second. */
const SHORT_RATIO = 0.05;
const ENOUGH_RATIO = 0.08;

/** How many nodes could take the largest request that is usual, kept up to date from the fleet's changes. */
export class LargeStock {
  readonly #fleet: FleetIndex;
  readonly #fits: Uint8Array;
  #shape: PlacementShape | null = null;
  #count = 0;
  #nodeCount = 0;
  #readTo = 0;
  #generation = -1;
  #isShort = false;

  constructor(fleet: FleetIndex) {
    this.#fleet = fleet;
    this.#fits = new Uint8Array(fleet.names.length);
  }

  /** @param shape the largest usual request of several GPUs; null = there is none, and nothing is ever short. */
  watch(shape: PlacementShape | null): void {
    this.#shape = shape;
    this.#generation = -1;
  }

  /** Whether such places have become rare; looks at what changed since it was last asked. */
  isShort(): boolean {
    if (this.#shape === null) return false;
    if (this.#generation === this.#fleet.generation)
      for (let at = this.#readTo; at < this.#fleet.changes.length; at++) this.#look(this.#fleet.changes[at] ?? 0, this.#shape);
    else this.#lookAtAll(this.#shape);
    this.#readTo = this.#fleet.changes.length;
    const ratio = this.#isShort ? ENOUGH_RATIO : SHORT_RATIO;
    this.#isShort = this.#count < Math.round(ratio * this.#nodeCount);
    return this.#isShort;
  }

  #lookAtAll(shape: PlacementShape): void {
    this.#generation = this.#fleet.generation;
    this.#nodeCount = this.#fleet.gpuCountOf.reduce((count, gpus) => (gpus >= shape.gpuCount ? count + 1 : count), 0);
    for (let node = 0; node < this.#fits.length; node++) this.#look(node, shape);
  }

  #look(node: number, shape: PlacementShape): void {
    const fits = fitsNode(this.#fleet, node, shape) ? 1 : 0;
    this.#count += fits - (this.#fits[node] ?? 0);
    this.#fits[node] = fits;
  }
}
