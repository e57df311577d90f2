import { bindShape, fitsNode, isShared, lowestGpus, type FleetIndex, type FleetPlace, type PlacementShape } from "./fleet-index.ts";
import type { NodeVerdict, ScoringPolicy } from "./scoring-policy.ts";

/** Places requests on one fleet by one policy, one after the other. */
export interface FleetPlacer {
  /** An arrival, before a place is looked for; `place` says so itself. */
  observe(shape: PlacementShape): void;
  /** The best place now, or null when no node fits. Binds nothing. @param isBarred nodes that this request must not have. */
  choose(shape: PlacementShape, isBarred?: (node: number) => boolean): FleetPlace | null;
  /** Chooses and binds. */
  place(shape: PlacementShape): FleetPlace | null;
  /** How often a policy was asked about a node's state. */
  scoredCount(): number;
}

/** Shapes whose scores are remembered; the one unused for longest is forgotten first. */
const SHAPES_MAX = 1_024;
const UNFIT = Number.NEGATIVE_INFINITY;

/** Scores of one shape: per node as of `readTo` in the fleet's changes, and per state number, so that equal nodes are scored once. */
interface ShapeScores {
  readonly ofNode: Float64Array;
  readonly gpuOfNode: Int8Array;
  ofState: Float64Array;
  gpuOfState: Int8Array;
  readTo: number;
  revision: number;
  generation: number;
}

/**
 * A decision re-scores only nodes that changed since the same shape was last asked for, and of those only states never seen for it;
 * the rest is one pass over an array of numbers.
 */
export function createFleetPlacer(fleet: FleetIndex, policy: ScoringPolicy): FleetPlacer {
  const nodeCount = fleet.names.length;
  const known = new Map<string, ShapeScores>();
  const verdict: NodeVerdict = { score: 0, gpu: -1 };
  let scored = 0;

  function scoresOf(shape: PlacementShape): ShapeScores {
    const key = `${shape.cpuMilli} ${shape.memoryMib} ${shape.gpuCount} ${shape.gpuMilli} ${shape.models.join("|")}`;
    const scores = known.get(key) ?? emptyScores(nodeCount);
    known.delete(key);
    known.set(key, scores);
    const [oldest] = known.keys();
    if (known.size > SHAPES_MAX && oldest !== undefined) known.delete(oldest);
    return scores;
  }

  function scoreNode(scores: ShapeScores, node: number, shape: PlacementShape): void {
    const state = fleet.stateOf[node] ?? 0;
    if (state >= scores.ofState.length) growStates(scores, state + 1);
    if (Number.isNaN(scores.ofState[state])) {
      verdict.score = UNFIT;
      verdict.gpu = -1;
      if (fitsNode(fleet, node, shape)) {
        policy.scoreNode(fleet, node, shape, verdict);
        scored++;
      }
      scores.ofState[state] = verdict.score;
      scores.gpuOfState[state] = verdict.gpu;
    }
    scores.ofNode[node] = scores.ofState[state] ?? UNFIT;
    scores.gpuOfNode[node] = scores.gpuOfState[state] ?? -1;
  }

  function refresh(scores: ShapeScores, shape: PlacementShape): void {
    const isStale = scores.revision !== policy.revision() || scores.generation !== fleet.generation;
    if (isStale) scores.ofState.fill(Number.NaN);
    if (isStale || fleet.changes.length - scores.readTo >= nodeCount)
      for (let node = 0; node < nodeCount; node++) scoreNode(scores, node, shape);
    else for (let at = scores.readTo; at < fleet.changes.length; at++) scoreNode(scores, fleet.changes[at] ?? 0, shape);
    scores.readTo = fleet.changes.length;
    scores.revision = policy.revision();
    scores.generation = fleet.generation;
  }

  function choose(shape: PlacementShape, isBarred: (node: number) => boolean = NONE_BARRED): FleetPlace | null {
    const scores = scoresOf(shape);
    refresh(scores, shape);
    const node = indexOfMax(scores.ofNode, isBarred);
    if (node < 0) return null;
    return { node, gpus: isShared(shape) ? [scores.gpuOfNode[node] ?? 0] : lowestGpus(fleet, node, shape) };
  }

  return {
    observe: (shape) => policy.observe(shape),
    choose,
    place(shape) {
      policy.observe(shape);
      const place = choose(shape);
      if (place !== null) bindShape(fleet, shape, place);
      return place;
    },
    scoredCount: () => scored,
  };
}

function emptyScores(nodeCount: number): ShapeScores {
  return {
    ofNode: new Float64Array(nodeCount).fill(UNFIT),
    gpuOfNode: new Int8Array(nodeCount).fill(-1),
    ofState: new Float64Array(0),
    gpuOfState: new Int8Array(0),
    readTo: 0,
    revision: -1,
    generation: -1,
  };
}

function growStates(scores: ShapeScores, count: number): void {
  const length = Math.max(count, 2 * scores.ofState.length, 64);
  const ofState = new Float64Array(length).fill(Number.NaN);
  const gpuOfState = new Int8Array(length).fill(-1);
  ofState.set(scores.ofState);
  gpuOfState.set(scores.gpuOfState);
  scores.ofState = ofState;
  scores.gpuOfState = gpuOfState;
}

const NONE_BARRED = (): boolean => false;

/** The first of equal ones; -1 = nobody fits. */
function indexOfMax(scores: Float64Array, isBarred: (node: number) => boolean): number {
  let best = -1;
  let bestScore = UNFIT;
  for (let node = 0; node < scores.length; node++) {
    const score = scores[node] ?? UNFIT;
    if (score <= bestScore || isBarred(node)) continue;
    best = node;
    bestScore = score;
  }
  return best;
}
