import type { ControlPorts } from "../controllers/start-controllers.ts";
import type { GatewayPorts } from "../gateway/gateway-ports.ts";
import type { CrashPoint } from "./mortal.ts";

const POINTS: readonly CrashPoint[] = ["before", "after"];

/** Does the call change the world? A `write` is a crash point: its process may die before it, or after it and never hear of it. */
type CallKind = "read" | "write";

/** What of a process's ports is the world outside; the others are time, chance, words and its own state. */
type OutsideControlPorts = Omit<ControlPorts, "clock" | "random" | "log" | "stateId" | "gatewayProcesses">;
type OutsideGatewayPorts = Omit<GatewayPorts, "clock" | "random" | "host" | "keyDigest" | "eventLog">;

/** Derived from the ports: a new port, or a new method of one, does not compile until it is named here. */
type KindsOfCalls<Ports> = { readonly [Port in keyof Ports]: { readonly [Method in keyof Ports[Port]]-?: CallKind } };

const CONTROL_PLANE_CALLS = {
  store: {
    get: "read",
    list: "read",
    create: "write",
    writeSpec: "write",
    writeStatus: "write",
    remove: "write",
    applyAll: "write",
    watch: "read",
    close: "read",
  },
  launcher: { observe: "read", ensure: "write", remove: "write", machineOf: "read", onExit: "read" },
  driver: { observe: "read", ensureInventory: "write", ensurePartition: "write", removePartition: "write" },
  upstream: { call: "write" },
  hub: { listen: "read", send: "write", close: "read" },
} as const satisfies KindsOfCalls<OutsideControlPorts>;

const GATEWAY_CALLS = {
  upstream: { call: "write" },
  link: { open: "read", send: "write", close: "read" },
  memory: { load: "read", save: "write" },
} as const satisfies KindsOfCalls<OutsideGatewayPorts>;

type NamesOf<Calls, Kind extends CallKind> = {
  [Port in keyof Calls]: {
    [Method in keyof Calls[Port]]: Calls[Port][Method] extends Kind ? `${Port & string}.${Method & string}` : never;
  }[keyof Calls[Port]];
}[keyof Calls];

/** Any call of a control plane to the world, as `port.method`. */
export type CallSite = NamesOf<typeof CONTROL_PLANE_CALLS, CallKind>;
/** A call that changes the world, as `store.writeStatus`. */
export type CrashSite = NamesOf<typeof CONTROL_PLANE_CALLS, "write">;
export type GatewayCallSite = NamesOf<typeof GATEWAY_CALLS, CallKind>;
export type GatewayCrashSite = NamesOf<typeof GATEWAY_CALLS, "write">;

const writesOf = (calls: Readonly<Record<string, Readonly<Record<string, CallKind>>>>): readonly string[] =>
  Object.entries(calls).flatMap(([port, methods]) =>
    Object.entries(methods).flatMap(([method, kind]) => (kind === "write" ? [`${port}.${method}`] : [])),
  );
const CONTROL_PLANE_WRITES = writesOf(CONTROL_PLANE_CALLS);
const GATEWAY_WRITES = writesOf(GATEWAY_CALLS);

export const isCrashSite = (site: string): site is CrashSite => CONTROL_PLANE_WRITES.includes(site);
export const isGatewayCrashSite = (site: string): site is GatewayCrashSite => GATEWAY_WRITES.includes(site);

/** Every crash point of a control plane, in the order of its ports; each is there before the call and after it. */
export const CRASH_SITES: readonly CrashSite[] = CONTROL_PLANE_WRITES.filter(isCrashSite);
/** The same of a gateway. */
export const GATEWAY_CRASH_SITES: readonly GatewayCrashSite[] = GATEWAY_WRITES.filter(isGatewayCrashSite);

/** Where one process of a world dies: at which of its calls, and on which side of it. */
export type CrashPlace =
  | { readonly process: "control-plane"; readonly point: CrashPoint; readonly site: CrashSite }
  | { readonly process: "gateway"; readonly point: CrashPoint; readonly site: GatewayCrashSite };

/** Every crash point of both processes. */
export const CRASH_PLACES: readonly CrashPlace[] = [
  ...CRASH_SITES.flatMap((site) => POINTS.map((point): CrashPlace => ({ process: "control-plane", point, site }))),
  ...GATEWAY_CRASH_SITES.flatMap((site) => POINTS.map((point): CrashPlace => ({ process: "gateway", point, site }))),
];

export const printCrashPlace = ({ process, point, site }: CrashPlace): string => `${process} ${site} ${point}`;
