import type { Socket } from "node:net";
import { MiB } from "../../base/bytes.ts";

/** An inventory of hundreds of nodes fits; a peer that sends no line end does not fill the memory. */
const LINE_BYTES_MAX = 8 * MiB;

/** Cuts what a socket says into lines of JSON. A line that is none, or too long, ends the connection. */
export function onJsonLines(socket: Socket, take: (message: unknown) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_BYTES_MAX) socket.destroy();
    for (const line of lines) {
      const message = parse(line);
      if (message === undefined) return socket.destroy();
      take(message);
    }
  });
}

export const sendJsonLine = (socket: Socket, message: object): boolean => socket.write(`${JSON.stringify(message)}\n`);

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
