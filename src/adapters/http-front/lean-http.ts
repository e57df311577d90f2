import type { Server, ServerOptions } from "node:https";

/**
 * node:http as it is. An `import` would read every export once to list it, those that load the built-in web client
 * with them: 50 ms of each process's start (measured on Node 24.21).
 */
export const http = process.getBuiltinModule("node:http");

/** Only for who serves TLS: as above, loaded at its first use. */
export const createHttpsServer = (options: ServerOptions): Server => process.getBuiltinModule("node:https").createServer(options);
