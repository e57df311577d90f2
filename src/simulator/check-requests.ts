import type { Violation } from "./checker.ts";
import { expectedAnswer } from "./expected-answer.ts";
import type { ShakenTimes } from "./shaken-times.ts";
import type { WorldRequest } from "./world-client.ts";

/** What a service's requests are judged by. */
export interface RequestCourt {
  readonly service: string;
  /** Who asked. */
  readonly party: string;
  readonly model: string;
  /** Every revision that its config ever asked for. */
  readonly revisions: ReadonlySet<string>;
  /** Whose connection was cut by an event, not by the platform. */
  readonly excused: ReadonlySet<WorldRequest>;
  readonly shaken: ShakenTimes;
}

/** Every request ends once, with one engine's answer, which is the model's; and whole, where nothing of its service's own was broken. */
export function judgeRequests(requests: readonly WorldRequest[], court: RequestCourt): readonly Violation[] {
  const answersOf = createAnswers(court);
  return requests.flatMap((request) => {
    const found = [wrongEnd(request, court), wrongEngines(request), wrongTokens(request, answersOf), wrongTenant(request, court)];
    return found.flatMap((wrong) => {
      if (wrong === null) return [];
      const whom = `request ${request.id}, ${court.party}, begun at ${Math.round(request.startedAtMs)} ms`;
      return [{ atMs: request.endedAtMs ?? request.startedAtMs, whom, ...wrong }];
    });
  });
}

type Found = Pick<Violation, "checker" | "what"> | null;

function wrongEnd(request: WorldRequest, { excused }: RequestCourt): Found {
  if (request.outcome === "open") return { checker: "request-ends", what: "never ended" };
  if (request.outcome !== "broken" || excused.has(request)) return null;
  return { checker: "request-ends", what: "ended without a word" };
}

function wrongEngines({ answerIds }: WorldRequest): Found {
  if (answerIds.length < 2) return null;
  return { checker: "one-engine", what: `was answered by ${answerIds.length} engines: ${answerIds.join(", ")}` };
}

/** What came is the whole answer of one revision, or the beginning of one where the end says so. */
function wrongTokens(request: WorldRequest, answersOf: (request: WorldRequest) => readonly string[]): Found {
  const { outcome, text } = request;
  if (outcome === "refused" || (outcome !== "complete" && text === "")) return null;
  const isWhole = outcome === "complete";
  const isRight = answersOf(request).some((answer) => (isWhole ? answer === text : answer.startsWith(text)));
  if (isRight) return null;
  return {
    checker: "tokens",
    what: `is ${outcome} with ${isWhole ? "another text than" : "what does not begin"} the model's: ${text.slice(0, 60)}`,
  };
}

/** A tenant of whom nothing is broken loses nothing. */
function wrongTenant(request: WorldRequest, { service, shaken, excused }: RequestCourt): Found {
  const { outcome, startedAtMs, endedAtMs } = request;
  if (outcome === "complete" || outcome === "left" || excused.has(request)) return null;
  if (!shaken.wasCalm(service, startedAtMs, endedAtMs ?? Number.POSITIVE_INFINITY)) return null;
  return { checker: "isolation", what: `is ${outcome}, and nothing of its service was broken` };
}

/** As the text stands in JSON, in the form in which clients compare it. */
function createAnswers({ model, revisions }: RequestCourt): (request: WorldRequest) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return ({ ask, prompt, tokensMax }) => {
    const before = known.get(ask);
    if (before !== undefined) return before;
    const answers = [...revisions].map((revision) => JSON.stringify(expectedAnswer({ model, revision, prompt, tokensMax })).slice(1, -1));
    known.set(ask, answers);
    return answers;
  };
}
