import { flushCompileCache } from "node:module";

/**
 * Writes what was compiled so far beside the packages, for the next start. Node does so at an orderly end only, and
 * processes here are made to be killed.
 */
export const keepCompiled = (): void => flushCompileCache();
