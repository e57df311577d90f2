import { chmod, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { parseUpMessage } from "../../api/parse-link-message.ts";
import type { DownMessage, UpMessage } from "../../api/link-message.ts";
import type { GatewayId } from "../../base/ids.ts";
import type { GatewayHub, GatewayHubEvents } from "../../ports/gateway-link.ts";
import { MessageSocket } from "./message-socket.ts";

/** Whoever connects says who it is within that time. */
const HELLO_MS = 5_000;

type Peer = MessageSocket<UpMessage, DownMessage>;

/** The control plane's end on a Unix socket, mode 0600; what a dead control plane left at `path` is replaced. */
export function createUnixGatewayHub(path: string): GatewayHub {
  const sockets = new Set<Socket>();
  const peers = new Map<GatewayId, Peer>();
  let server: Server | null = null;

  function accept(socket: Socket, events: GatewayHubEvents): void {
    sockets.add(socket);
    let name: GatewayId | null = null;
    const helloTimer = setTimeout(() => socket.destroy(), HELLO_MS).unref();
    const peer: Peer = new MessageSocket(socket, parseUpMessage, (message) => {
      if (name !== null) return events.message(name, message);
      if (message.type !== "hello") return socket.destroy();
      clearTimeout(helloTimer);
      name = message.gateway;
      const before = peers.get(name);
      peers.set(name, peer);
      if (before !== undefined) {
        before.destroy();
        events.left(name);
      }
      events.joined(name, message);
    });
    socket.once("close", () => {
      clearTimeout(helloTimer);
      sockets.delete(socket);
      // The same gateway may be back on another connection already.
      if (name === null || peers.get(name) !== peer) return;
      peers.delete(name);
      events.left(name);
    });
  }

  return {
    listen: async (events) => {
      await removeDeadSocket(path);
      const listening = createServer((socket) => accept(socket, events));
      server = listening;
      await new Promise<void>((resolve, reject) => {
        listening.once("error", reject);
        listening.listen(path, resolve);
      });
      await chmod(path, 0o600);
    },
    send: (to, message) => {
      peers.get(to)?.send(message);
    },
    close: async () => {
      const closing = server;
      server = null;
      const closed = new Promise<void>((resolve) => {
        if (closing === null) resolve();
        else closing.close(() => resolve());
      });
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A socket file whose process is dead refuses connections; one that accepts belongs to somebody. */
async function removeDeadSocket(path: string): Promise<void> {
  const state = await new Promise<"alive" | "dead" | "absent">((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve("alive");
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ENOENT" ? "absent" : "dead"));
  });
  if (state === "alive") throw new Error(`Another control plane listens at ${path}.`);
  if (state === "dead") await unlink(path);
}
