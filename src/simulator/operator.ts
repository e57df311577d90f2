import { createApply } from "../admin/apply.ts";
import { failoverRequestRoutes } from "../admin/failover-requests.ts";
import { toKubernetes } from "../admin/kubernetes-form.ts";
import { JSON_TYPE } from "../admin/status.ts";
import type { RecordAction } from "../api/failover-record.ts";
import type { Level } from "../api/hot-standby-config.ts";
import { assert } from "../base/assert.ts";
import type { JsonObject } from "../base/json.ts";
import type { World } from "./world.ts";

/** A person at the admin door of the platform, without HTTP. */
export interface Operator {
  /** @returns the HTTP status: 201 = taken up; a refusal is an answer too. */
  ask(service: string, action: RecordAction, to: Level | null): Promise<number>;
  /** Reads the config, changes its spec, sends it back. */
  change(service: string, edit: (spec: JsonObject) => JsonObject): Promise<"stored" | "refused">;
}

/** Every status write changes the version: the read is repeated where one came in between. */
const TRIES_MAX = 5;

export function createOperator(world: Pick<World, "store" | "log" | "chance">): Operator {
  const { store, log } = world;
  const apply = createApply(store);
  const routes = failoverRequestRoutes({ store, log, random: world.chance("operator") });
  const post = routes.find(({ method }) => method === "POST");
  assert(post !== undefined, "moves are asked for by POST");

  async function put(service: string, edit: (spec: JsonObject) => JsonObject, triesLeft: number): Promise<"stored" | "refused"> {
    const stored = await store.get("HotStandbyConfig", service);
    if (!stored.ok) return "refused";
    const body = JSON.stringify({ ...toKubernetes(stored.value), spec: edit(stored.value.spec) });
    const answered = await apply.put({ kind: "HotStandbyConfig", name: service, isForced: false }, body);
    if (answered.ok) return "stored";
    return answered.error.code === "OUTDATED" && triesLeft > 0 ? put(service, edit, triesLeft - 1) : "refused";
  }
  return {
    async ask(service, action, to) {
      const request = { method: "POST", parameters: {}, query: new URLSearchParams(), contentType: JSON_TYPE };
      const answer = await post.handle({ ...request, body: JSON.stringify({ spec: { service, action, to } }) });
      return answer.form === "whole" ? answer.status : 200;
    },
    change: (service, edit) => put(service, edit, TRIES_MAX),
  };
}
