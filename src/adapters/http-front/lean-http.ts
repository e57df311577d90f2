/**
 * node:http as it is. An `import` would read every export once to list it, those that load the built-in web client
 * with them: 50 ms of each process's start (measured on Node 24.21).
 */
export const http = process.getBuiltinModule("node:http");
