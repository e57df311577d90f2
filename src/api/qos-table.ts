import { GiB } from "../base/bytes.ts";
import type { QosClass } from "./hot-standby-config.ts";

/** On a shared GPU: ceiling of compute under contention, and the most GPU memory that an explicit class allows. */
export const QOS_TABLE: Readonly<Record<QosClass, { readonly computePercent: number; readonly memoryCapBytes: number }>> = {
  gold: { computePercent: 80, memoryCapBytes: 32 * GiB },
  silver: { computePercent: 50, memoryCapBytes: 16 * GiB },
  bronze: { computePercent: 20, memoryCapBytes: 8 * GiB },
};
