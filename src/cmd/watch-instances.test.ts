import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kind, Resource } from "../api/resource.ts";
import { uid, wallMs } from "../base/ids.ts";
import { createInstanceView } from "./watch-instances.ts";

const service = (name: string, ...states: readonly string[]): Resource => ({
  kind: "HotStandbyConfig",
  name,
  uid: uid(name),
  version: "1",
  generation: 1,
  createdAt: wallMs(0),
  labels: {},
  annotations: {},
  spec: {},
  status: { instances: states.map((state, index) => ({ name: `${name}-hot-${index + 1}`, level: "hot", state, generation: 1 })) },
});

function viewOf(name: string | null = null) {
  const shown: string[] = [];
  const view = createInstanceView(name, {
    row: ({ instance }) => void shown.push(`${instance.name} ${instance.state}`),
    whole: () => void shown.push("whole"),
  });
  const take = (type: "ADDED" | "MODIFIED" | "DELETED", resource: Resource): void => view.take(resource.kind, { type, resource });
  const whole = (...kinds: readonly Kind[]): void => kinds.forEach((kind) => view.take(kind, { type: "WHOLE" }));
  return { shown, take, whole, alive: () => view.take("HotStandbyConfig", { type: "ALIVE" }) };
}

test("followed instances are whole once both kinds are, and not again after a reconnection", () => {
  const { shown, take, whole } = viewOf();
  take("ADDED", service("a", "Ready"));
  whole("HotStandbyConfig");
  assert.deepEqual(shown, ["a-hot-1 Ready"]);
  whole("AttachedEngine");
  take("ADDED", service("a", "Ready"));
  whole("HotStandbyConfig", "AttachedEngine");
  assert.deepEqual(shown, ["a-hot-1 Ready", "whole"]);
});

test("of a changed service only the changed instances are shown", () => {
  const { shown, take, alive } = viewOf();
  take("ADDED", service("a", "Ready", "Ready"));
  alive();
  take("MODIFIED", service("a", "Ready", "Failed"));
  take("MODIFIED", service("a", "Ready", "Failed"));
  assert.deepEqual(shown.slice(2), ["a-hot-2 Failed"]);
});

test("an instance that is no longer asked for is shown as removed, with its service too", () => {
  const { shown, take } = viewOf();
  take("ADDED", service("a", "Ready", "Ready"));
  take("MODIFIED", service("a", "Ready"));
  take("DELETED", service("a", "Ready"));
  assert.deepEqual(shown.slice(2), ["a-hot-2 Removed", "a-hot-1 Removed"]);
});

test("a service that was deleted while the control plane was away is shown as removed", () => {
  const { shown, take, whole } = viewOf();
  take("ADDED", service("a", "Ready"));
  take("ADDED", service("b", "Ready"));
  whole("HotStandbyConfig", "AttachedEngine");
  take("ADDED", service("b", "Ready"));
  whole("HotStandbyConfig");
  assert.deepEqual(shown.slice(3), ["a-hot-1 Removed"]);
});

test("followed by a name, instances of others are not shown", () => {
  const byService = viewOf("a");
  const byInstance = viewOf("a-hot-2");
  for (const { take } of [byService, byInstance]) {
    take("ADDED", service("a", "Ready", "Ready"));
    take("ADDED", service("b", "Ready"));
  }
  assert.deepEqual([byService.shown, byInstance.shown], [["a-hot-1 Ready", "a-hot-2 Ready"], ["a-hot-2 Ready"]]);
});
