// Where the store's thread begins. A thread does not inherit the compile cache, and after a crash its start is waited for.
import { enableCompileCache } from "node:module";
import { workerData } from "node:worker_threads";
import { isJsonObject } from "../../base/json.ts";

const cacheDir = isJsonObject(workerData) ? workerData["cacheDir"] : null;
if (typeof cacheDir === "string") enableCompileCache(cacheDir);
await import("./sqlite-thread.ts");
