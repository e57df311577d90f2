import assert from "node:assert/strict";
import { test } from "node:test";
import { engineLauncherContract, launchPlan } from "../../ports/engine-launcher-contract.ts";
import { createSimulatedLauncher } from "./simulated.ts";

const address = (port: number): { readonly host: string; readonly port: number } => ({ host: "10.0.0.1", port });

engineLauncherContract("simulated launcher", async () => {
  let port = 0;
  const launcher = createSimulatedLauncher(() => ({ address: address((port += 1)), stop: () => undefined }));
  return { launcher, kill: (engine) => launcher.kill(engine.instance, "SIGKILL"), close: async () => undefined };
});

test("simulated launcher: an engine that ends by itself is told once and is stopped", async () => {
  const stopped: number[] = [];
  let die = (): void => undefined;
  const launcher = createSimulatedLauncher((_, process) => {
    die = () => process.ended("exit code 1");
    return { address: address(1), stop: () => void stopped.push(process.pid) };
  });
  const reasons: string[] = [];
  launcher.onExit((exit) => reasons.push(exit.reason));
  const started = await launcher.ensure(launchPlan("hot-1"));
  die();
  die();
  assert.deepEqual(await launcher.observe(), []);
  assert.deepEqual([reasons, stopped], [["exit code 1"], [started.ok ? started.value.pid : null]]);
});

test("simulated launcher: an engine that cannot be started is LAUNCH_FAILED with the reason", async () => {
  const launcher = createSimulatedLauncher(() => "no such model");
  const refused = await launcher.ensure(launchPlan("hot-1"));
  assert.deepEqual(refused.ok ? null : refused.error, { code: "LAUNCH_FAILED", instance: "hot-1", reason: "no such model" });
});
