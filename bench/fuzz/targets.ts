import { openAuthorizationTarget } from "./authorization-target.ts";
import { openBodyTarget } from "./body-target.ts";
import { openEngineTarget } from "./engine-target.ts";
import type { OpenTarget } from "./fuzz-target.ts";
import { openSseTarget } from "./sse-target.ts";
import { openTargetHostTarget } from "./target-host-target.ts";

export const TARGETS: Readonly<Record<string, OpenTarget>> = {
  sse: openSseTarget,
  "target-host": openTargetHostTarget,
  body: openBodyTarget,
  authorization: openAuthorizationTarget,
  engine: openEngineTarget,
};
