import { formatWall } from "../base/time.ts";
import { NO_CLOCK, type FailoverRecord, type LadderPlace, type RecordPhase } from "../api/failover-record.ts";
import type { Level } from "../api/hot-standby-config.ts";
import type { Note } from "./add-history.ts";
import { canBeWoken, isBelow, isComing, isEveryHotReady, isUsable, isWaking, onLevel, type LadderLook } from "./ladder-look.ts";
import { startableReserve } from "./next-place.ts";

/** What becomes of an operator's wishes at this look. */
export interface Answer {
  /** The count of moves and the error budget begin anew. */
  readonly isResumed: boolean;
  /** The move to make now; its record goes on as the open move. */
  readonly move: { readonly to: Level; readonly request: FailoverRecord } | null;
  /** The rung to make usable first: the move follows when somebody on it is Ready. */
  readonly target: Level | null;
  /** undefined = as it was. */
  readonly pinned: Level | null | undefined;
  readonly records: readonly FailoverRecord[];
  readonly notes: readonly Note[];
}

const NOTHING: Answer = { isResumed: false, move: null, target: null, pinned: undefined, records: [], notes: [] };

/** Every resume, and the oldest request that moves: one move at a time, so the others wait for its end. */
export function decideRequest(look: LadderLook): Answer {
  const open = look.requests.filter(({ name, status }) => name !== look.before.openMove?.record && (status?.epoch ?? null) === null);
  const resumes = open.filter((request) => request.action === "resume");
  const fresh = resumes.filter((request) => !look.before.history.some(({ what }) => what === resumeWords(request)));
  const first = open.find((request) => request.action !== "resume");
  const moving = first === undefined ? NOTHING : first.action === "failback" ? decideFailback(first, look) : decideFailover(first, look);
  if (resumes.length === 0) return moving;
  return {
    ...moving,
    isResumed: fresh.length > 0,
    records: [
      ...resumes.map((request) => answered(request, look, "Completed", "The count of moves and the error budget begin anew.")),
      ...moving.records,
    ],
    notes: [...fresh.map((request) => ({ what: resumeWords(request), why: "An operator resumed the service." })), ...moving.notes],
  };
}

/** As it stands in the history: a resume whose record could not be written meanwhile is not obeyed twice. */
const resumeWords = ({ name }: FailoverRecord): string => `Counts moves and the error budget anew (${name}).`;

function decideFailback(request: FailoverRecord, look: LadderLook): Answer {
  if (look.before.level === "hot") return done(request, look, { pinned: null, reason: "Traffic is on hot already." });
  if (isEveryHotReady(look)) return { ...NOTHING, move: { to: "hot", request }, pinned: null };
  const ready = onLevel(look, "hot").filter((instance) => instance.state === "Ready").length;
  return refused(request, look, `Only ${ready} of ${hotCount(look)} hot instances are Ready.`);
}

function decideFailover(request: FailoverRecord, look: LadderLook): Answer {
  if (request.to === "degraded") return refused(request, look, "No service is degraded on purpose.");
  const pinned = request.to === "hot" ? null : request.to;
  if (request.to !== null && request.to === look.before.level && isUsable(look, request.to)) {
    return done(request, look, { pinned, reason: `Traffic is on ${request.to} already.` });
  }
  const candidates = request.to === null ? LEVELS.filter((level) => isBelow(level, look.before.level)) : [request.to];
  const means = candidates.map((level) => ({ level, ...meansOf(look, level) }));
  const chosen = means.find(({ can }) => can !== "none");
  if (chosen === undefined) {
    const reason = means.map(({ why }) => why).join(" ") || "There is no rung below.";
    return request.status === null || request.status.phase === "Requested"
      ? refused(request, look, reason)
      : { ...NOTHING, records: [answered(request, look, "Failed", reason)], notes: saidOnce(look, noteOf(request, "Failed", reason)) };
  }
  if (chosen.can === "serve") {
    return { ...NOTHING, move: { to: chosen.level, request }, pinned: chosen.level === "hot" ? null : chosen.level };
  }
  const waiting = answered(request, look, "Running", chosen.why);
  return { ...NOTHING, target: chosen.level, records: [waiting] };
}

const LEVELS: readonly Level[] = ["hot", "warm", "cold"];

/** Can somebody on that rung serve, or be made to, and what is in the way? */
function meansOf(look: LadderLook, level: Level): { readonly can: "serve" | "prepare" | "none"; readonly why: string } {
  if (isUsable(look, level)) return { can: "serve", why: "" };
  const instances = onLevel(look, level);
  const failed = instances.find((instance) => instance.failedWakes > 0 || (level === "cold" && instance.failedStarts > 0));
  if (failed !== undefined) return { can: "none", why: `${failed.name}: ${failed.message}.` };
  if (level === "hot") return { can: "none", why: "No hot instance is Ready." };
  const underway = instances.find((instance) => isWaking(look, instance) || isComing(look, instance));
  if (underway !== undefined) return { can: "prepare", why: `Waits for ${underway.name} to be verified.` };
  const sleeper = instances.find((instance) => canBeWoken(look, instance));
  if (sleeper !== undefined) return { can: "prepare", why: `Wakes ${sleeper.name} and verifies it first.` };
  const reserve = level === "cold" ? startableReserve(look) : null;
  if (reserve !== null) return { can: "prepare", why: `Starts ${reserve} and verifies it first.` };
  const [first] = instances;
  if (first !== undefined) return { can: "none", why: `${first.name} is ${first.state}: ${first.message}.` };
  return { can: "none", why: level === "warm" ? "It has no warm instance." : "It has no cold reserve that could be started." };
}

function done(request: FailoverRecord, look: LadderLook, { pinned, reason }: { readonly pinned: Level | null; readonly reason: string }) {
  return {
    ...NOTHING,
    pinned,
    records: [answered(request, look, "Completed", reason)],
    notes: saidOnce(look, noteOf(request, "Completed", reason)),
  };
}

function refused(request: FailoverRecord, look: LadderLook, reason: string): Answer {
  return { ...NOTHING, records: [answered(request, look, "Refused", reason)], notes: saidOnce(look, noteOf(request, "Refused", reason)) };
}

/** Until its record is written, each look gives the same answer again. */
const saidOnce = ({ before }: LadderLook, note: Note): readonly Note[] =>
  before.history.some(({ what, why }) => what === note.what && why === note.why) ? [] : [note];

const noteOf = ({ name, action, to }: FailoverRecord, phase: "Completed" | "Refused" | "Failed", reason: string): Note => {
  const where: LadderPlace | "" = to ?? "";
  return { what: `An operator's ${action}${where === "" ? "" : ` to ${where}`}: ${phase} (${name}).`, why: reason };
};

function answered(request: FailoverRecord, look: LadderLook, phase: RecordPhase, reason: string): FailoverRecord {
  const decided = request.status?.clock.decided ?? formatWall(look.wallMs);
  const clock = { ...NO_CLOCK, decided };
  const affected = { requests: 0, lost: 0 };
  return { ...request, status: { phase, epoch: null, clock, rtoMs: null, capacityRtoMs: null, mttrrMs: null, affected, reason } };
}

const hotCount = (look: LadderLook): number => look.desired.filter((instance) => instance.level === "hot").length;
