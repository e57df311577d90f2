import { openAuthorizationTarget } from "./authorization-target.ts";
import { openBodyTarget } from "./body-target.ts";
import type { OpenTarget } from "./fuzz-target.ts";
import { openSseTarget } from "./sse-target.ts";

export const TARGETS: Readonly<Record<string, OpenTarget>> = {
  sse: openSseTarget,
  body: openBodyTarget,
  authorization: openAuthorizationTarget,
};
