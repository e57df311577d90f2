import { parentPort } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { performTask, type CampaignTask } from "./campaign-task.ts";

// A thread of a campaign: one world after the other, as it is told. A world that breaks an assumption ends the thread.
const port = parentPort;
assert(port !== null, "this file is the start of a thread");
port.on("message", (task: CampaignTask) => {
  void performTask(task).then((answer) => port.postMessage(answer));
});
