import { createServer } from "node:net";
import type { Random } from "../../ports/random.ts";

/** Below the range that the kernel gives to outgoing connections (32768 on): none of them can take a port before its engine does. */
const PORT_FIRST = 20_000;
const PORT_COUNT = 12_000;
const TRIES_MAX = 64;

/** A port of 127.0.0.1 that nothing listens on and that is not in `taken`; null after 64 busy ones. */
export async function findFreePort(random: Pick<Random, "next">, taken: ReadonlySet<number>): Promise<number | null> {
  for (let tried = 0; tried < TRIES_MAX; tried += 1) {
    const port = PORT_FIRST + Math.floor(random.next() * PORT_COUNT);
    if (!taken.has(port) && (await canListen(port))) return port;
  }
  return null;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
