import { createSystemClock } from "../../src/adapters/clock/system.ts";
import { createMemoryGatewayMemory } from "../../src/adapters/gateway-memory/memory.ts";
import { createSystemHost } from "../../src/adapters/host/system.ts";
import { createSha256KeyDigest } from "../../src/adapters/key-digest/sha256.ts";
import { createSystemRandom } from "../../src/adapters/random/system.ts";
import type { EndpointAddress, RouteTable } from "../../src/api/route-table.ts";
import { gatewayId, instanceName, keyId, serviceName, tenantId, uid } from "../../src/base/ids.ts";
import { processEndpoint, processTable } from "../../src/cmd/gateway-processes.ts";
import { createGateway, type Gateway } from "../../src/gateway/gateway.ts";
import type { Upstream } from "../../src/ports/upstream.ts";
import { TENANTS, type FuzzTenant } from "./fuzz-tenants.ts";

const clock = createSystemClock();
const random = createSystemRandom();
const host = createSystemHost();
const keyDigest = createSha256KeyDigest();
const keys = TENANTS.map(({ name, key }) => ({
  hash: keyDigest.digest(key),
  id: keyId(`key-${name}`),
  tenant: tenantId(`tenant-${name}`),
}));

/** One service of a tenant. Nobody waits there for longer than a moment. */
function tableOf({ name, model }: FuzzTenant, addresses: readonly EndpointAddress[], heldForMs: number): RouteTable {
  const table = processTable(
    addresses.map((address, index) => ({
      ...processEndpoint(index + 1, `http://${address.host}:${address.port}`),
      instance: instanceName(`engine-${name}-${index + 1}`),
      uid: uid(`uid-${name}-${index + 1}`),
    })),
  );
  return {
    ...table,
    uid: uid(`service-${name}`),
    service: serviceName(`service-${name}`),
    tenant: tenantId(`tenant-${name}`),
    models: [model],
    degraded: [{ kind: "queue", upToMs: heldForMs }, { kind: "shed" }],
  };
}

/** A gateway with two tenants, in this process. @param engines those of each tenant, in order. */
export async function openGateway(
  upstream: Upstream,
  engines: readonly (readonly EndpointAddress[])[],
  heldForMs: number = 100,
): Promise<Gateway> {
  const memory = createMemoryGatewayMemory();
  const tables = TENANTS.map((tenant, index) => tableOf(tenant, engines[index] ?? [], heldForMs));
  await memory.save({ stateId: "fuzz", tables, keys });
  const gateway = createGateway(
    {
      clock,
      random,
      host,
      upstream,
      link: { open: () => undefined, send: () => false, close: () => undefined },
      memory,
      keyDigest,
      eventLog: { record: () => undefined },
    },
    { id: gatewayId("gateway-0"), pid: process.pid },
  );
  await gateway.load();
  return gateway;
}
