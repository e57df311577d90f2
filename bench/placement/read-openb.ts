import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FleetNode, PlacementShape } from "../../src/placement/fleet-index.ts";

const NODE_FILE = "openb_node_list_gpu_node.csv";
const POD_FILE = /^openb_pod_list_(.+)\.csv$/;

export interface Trace {
  readonly name: string;
  /** In the order of the pods' names. */
  readonly pods: readonly PlacementShape[];
  /** Of the same pods; null where the list has no times. */
  readonly lifetimesSeconds: readonly (number | null)[];
}

/** Names of the pod lists in the folder. @throws Error that says what is missing, and where it is from. */
export function traceNames(dir: string): readonly string[] {
  const files = listFiles(dir);
  if (!files.includes(NODE_FILE)) throw new Error(`${dir} has no ${NODE_FILE}. ${NEEDED}`);
  const names = files.flatMap((file) => POD_FILE.exec(file)?.[1] ?? []);
  if (names.length === 0) throw new Error(`${dir} has no openb_pod_list_<trace>.csv. ${NEEDED}`);
  return names.toSorted();
}

export const NEEDED =
  "The bench needs the openb trace of github.com/hkust-adsl/kubernetes-scheduler-simulator (data/csv): the list of GPU nodes and at least one list of pods. Name the folder by --data DIR or TIDEGATE_DATA_DIR.";

function listFiles(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (cause) {
    throw new Error(`${dir} cannot be read. ${NEEDED}`, { cause });
  }
}

export function readNodes(dir: string): readonly FleetNode[] {
  return readTable(join(dir, NODE_FILE)).map((cell) => ({
    name: cell("sn"),
    model: cell("model"),
    gpuCount: numberOf(cell("gpu")),
    cpuMilli: numberOf(cell("cpu_milli")),
    memoryMib: numberOf(cell("memory_mib")),
  }));
}

export function readTrace(dir: string, name: string): Trace {
  const rows = readTable(join(dir, `openb_pod_list_${name}.csv`)).toSorted((left, right) => (left("name") < right("name") ? -1 : 1));
  return { name, pods: rows.map(shapeOf), lifetimesSeconds: rows.map(lifetimeOf) };
}

function lifetimeOf(cell: Cell): number | null {
  if (cell("creation_time") === "" || cell("deletion_time") === "") return null;
  return numberOf(cell("deletion_time")) - numberOf(cell("creation_time"));
}

type Cell = (column: string) => string;

function shapeOf(cell: Cell): PlacementShape {
  const gpuCount = numberOf(cell("num_gpu"));
  return {
    cpuMilli: numberOf(cell("cpu_milli")),
    memoryMib: numberOf(cell("memory_mib")),
    gpuCount,
    gpuMilli: gpuCount === 0 ? 0 : numberOf(cell("gpu_milli")),
    models: cell("gpu_spec")
      .split("|")
      .filter((model) => model !== ""),
  };
}

/** No cell of these files has a comma or a quote in it. A column that is not there reads as empty. */
function readTable(path: string): readonly Cell[] {
  const [head = "", ...lines] = readFileSync(path, "utf8").trim().split(/\r?\n/);
  const columns = head.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    return (column) => cells[columns.indexOf(column)] ?? "";
  });
}

function numberOf(text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw new Error(`"${text}" is no number: the file is not of the openb trace.`);
  return value;
}
