import type { StoreOpenError } from "../../adapters/cluster-store/sqlite-messages.ts";
import type { Explanation } from "../../base/result.ts";
import type { EndpointAddress } from "../../api/route-table.ts";
import type { ListenError } from "../../ports/http-front.ts";
import { holderOfPort } from "../port-holder.ts";

/** Who sits on the port, and the flag that chooses another. */
export function explainBusyPort(address: EndpointAddress, what: "gateway" | "admin API"): Explanation {
  const holder = holderOfPort(address.port);
  const flag = what === "gateway" ? "--gateway-port" : "--admin-port";
  const why = holder === null ? "Another process listens there." : `process ${holder.pid} listens there: ${holder.command}`;
  return {
    what: `The ${what} cannot listen on ${address.host}:${address.port}.`,
    why,
    next: `End it, or choose another port: ${flag} ${address.port + 10}`,
  };
}

export function explainListen(error: ListenError, what: "gateway" | "admin API"): Explanation {
  if (error.code === "ADDRESS_IN_USE") return explainBusyPort(error.address, what);
  return {
    what: `The ${what} cannot listen on ${error.address.host}:${error.address.port}.`,
    why: error.reason,
    next: "Choose another address.",
  };
}

export function explainStore(error: StoreOpenError): Explanation {
  const what = `The state file ${error.path} cannot be opened.`;
  switch (error.code) {
    case "LOCKED":
      return {
        what,
        why: error.holderPid === null ? error.reason : `process ${error.holderPid} has it open: another tidegate up runs here.`,
        next: "End that one, or choose another --data-dir.",
      };
    case "CORRUPT":
      return { what, why: error.reason, next: "Keep a copy of it, then start with another --data-dir; nothing is overwritten." };
    case "UNUSABLE":
      return { what, why: error.reason, next: "Mend that, then start again." };
  }
}
