import type { Clock, Timer } from "../../ports/clock.ts";
import type { ServedAccount } from "./serve-account.ts";

/** No engine and no control plane for so long: nobody needs the account any more. */
const UNUSED_END_MS = 60_000;

/** Calls `end` when the account has had no connection for a minute without a break. */
export function endWhenUnused(served: Pick<ServedAccount, "connectionCount" | "onConnections">, clock: Clock, end: () => void): void {
  let waiting: Timer | null = null;
  const look = (count: number): void => {
    waiting?.cancel();
    waiting = count === 0 ? clock.after(UNUSED_END_MS, end) : null;
  };
  served.onConnections(look);
  look(served.connectionCount());
}
