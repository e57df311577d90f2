import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createFileEventLog } from "../../adapters/event-log/file.ts";
import { createNamedLink, type NamedLink } from "../../adapters/gateway-link/named-link.ts";
import { createUnixGatewayLink } from "../../adapters/gateway-link/unix-socket-link.ts";
import { createFileGatewayMemory } from "../../adapters/gateway-memory/file.ts";
import { createHandedMemory, type HandedMemory } from "../../adapters/gateway-memory/handed-memory.ts";
import { createSystemHost } from "../../adapters/host/system.ts";
import type { NodeListener } from "../../adapters/http-front/node-http.ts";
import { createSha256KeyDigest } from "../../adapters/key-digest/sha256.ts";
import { createSystemClock } from "../../adapters/clock/system.ts";
import { createSystemRandom } from "../../adapters/random/system.ts";
import { createUndiciUpstream } from "../../adapters/upstream/undici.ts";
import { gatewayId, type GatewayId } from "../../base/ids.ts";
import { createGateway, type Gateway } from "../../gateway/gateway.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Random } from "../../ports/random.ts";
import type { GatewayArguments } from "./arguments.ts";
import type { ListenerRole } from "./hand-over.ts";

/** The gateway of this process with what its end and its take-over need. */
export interface GatewayParts {
  readonly id: GatewayId;
  readonly options: GatewayArguments;
  readonly gateway: Gateway;
  readonly link: NamedLink;
  readonly memory: HandedMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
}

export type Listeners = ReadonlyMap<ListenerRole, NodeListener>;

/** Composes a gateway over the adapters of a process. A successor joins under a name of its own, and leaves the file to whom it still belongs. */
export function composeGateway(options: GatewayArguments): GatewayParts {
  const folder = join(options.dataDir, options.id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const clock = createSystemClock();
  const random = createSystemRandom();
  const id = gatewayId(options.id);
  const log = createFileEventLog(join(folder, "gateway.log"));
  const first = options.isSuccessor ? gatewayId(`${id}.next-${process.pid}`) : null;
  const link = createNamedLink(() => createUnixGatewayLink(join(options.dataDir, "link.sock"), clock), first);
  const memory = createHandedMemory(createFileGatewayMemory(folder), !options.isSuccessor);
  const gateway = createGateway(
    {
      clock,
      random,
      host: createSystemHost(),
      upstream: createUndiciUpstream(),
      link,
      memory,
      keyDigest: createSha256KeyDigest(),
      eventLog: log,
    },
    { id, pid: process.pid },
  );
  return { id, options, gateway, link, memory, clock, random, log };
}
