import { TOOLKIT_FORM, TOOLKIT_LEAST } from "./container-toolkit.ts";
import { PARTITION_MODE_NAMES } from "./gpu-partition.ts";
import { fieldOf, oneOf, QUANTITY_FORM, whole, type Field, type FieldRow } from "./field.ts";

const rows: readonly FieldRow[] = [
  {
    path: "capacityType",
    form: oneOf("on-demand", "spot"),
    example: "on-demand",
    meaning:
      "spot = the node may be taken away at short notice, with all of its pool: the value of its label inference.example.com/spot-pool, else equal machines of one zone.",
    fallback: "on-demand",
  },
  {
    path: "hostMemory",
    form: QUANTITY_FORM,
    example: "512GB",
    meaning: "Host memory in which sleeping engines keep their weights.",
    fallback: "512GB",
  },
  {
    path: "links.hostToGpu",
    form: QUANTITY_FORM,
    example: "54GB",
    meaning: "Bytes a second from host memory to the GPUs.",
    fallback: "54GB",
  },
  { path: "links.disk", form: QUANTITY_FORM, example: "12GB", meaning: "Bytes a second from the local disk.", fallback: "12GB" },
  { path: "links.network", form: QUANTITY_FORM, example: "11GB", meaning: "Bytes a second from the network.", fallback: "11GB" },
  {
    path: "containerToolkit",
    form: TOOLKIT_FORM,
    example: `"${TOOLKIT_LEAST}"`,
    meaning: `Version of the NVIDIA Container Toolkit that engines reach the GPUs through. Below ${TOOLKIT_LEAST} a container can get out to its neighbours: no two tenants share a GPU of the node then.`,
    fallback: "engines run without containers, and tenants may share a GPU",
  },
  {
    path: "gpus[].model",
    form: "the name of a GPU model that ends in its memory, such as H100-80GB",
    example: "H100-80GB",
    meaning: "Model of the GPUs; its last part is the memory of each.",
    fallback: null,
  },
  { path: "gpus[].count", form: whole(1, 64), example: "4", meaning: "So many GPUs of this model.", fallback: "1" },
  {
    path: "gpus[].modes",
    form: `a list of ${PARTITION_MODE_NAMES.join(", ")}`,
    example: "[exclusive, mig]",
    meaning: "Ways in which these GPUs may be cut.",
    fallback: "all; mig only where the model's geometry is known",
  },
];

/** Every field of a GPUNode's `spec`, in the order of the reference. */
export const gpuNodeFields: readonly Field[] = rows.map((row) => fieldOf({ ...row, path: `spec.${row.path}` }));
