import type { AdminRoute } from "./route.ts";
import { STATUS_OF_REASON } from "./status.ts";

/** docs/reference/admin-api.md, from the route table itself. */
export function renderAdminReference(routes: readonly Omit<AdminRoute, "handle">[]): string {
  return `# Admin API

Written by \`node scripts/make-cli-reference.ts\` from the route table itself. Default 127.0.0.1:8081.

- A request must name us in its Host header (loopback, or a name given with \`--admin-name\`); an Origin other than our own is refused; no CORS.
- Beyond loopback every route marked *token* needs \`Authorization: Bearer TOKEN\` (\`--admin-token-file\`).
- Bodies have at most 1 MiB. Objects are in Kubernetes' form.
- A watch answers JSON lines \`{"type", "object"}\`: ADDED for all that is there, one BOOKMARK, then ADDED, MODIFIED and DELETED;
  a BOOKMARK every 15 s while nothing happens. A slow reader gets the newest state, not every state between.

| method | path | auth | body | what it does |
| --- | --- | --- | --- | --- |
${routes.map(routeRow).join("\n")}

## Refusals

Each is a Kubernetes \`Status\`. \`details.problems\` of an Invalid one has code, file, line, column, path, what, why and next.

| reason | HTTP |
| --- | --- |
${Object.entries(STATUS_OF_REASON)
  .map(([reason, status]) => `| ${reason} | ${status} |`)
  .join("\n")}
`;
}

const routeRow = ({ method, pattern, auth, accepts, meaning }: Omit<AdminRoute, "handle">): string =>
  `| ${method} | \`${pattern.replace(":name", "NAME")}\` | ${auth} | ${accepts.join(", ")} | ${meaning} |`;
