import { unreachable } from "../base/assert.ts";
import { formatProblem, type Problem } from "../api/problem.ts";
import type { ApplyRefusal } from "./apply.ts";
import type { AdminAnswer } from "./route.ts";
import { answerRefusal, refusalOfStore } from "./status.ts";

// Somebody who sends a thousand mistakes needs the first ones.
const CAUSES_MAX = 100;

/** Each problem as a cause in Kubernetes' form, and whole under `details.problems`. */
export function answerApplyRefusal(refusal: ApplyRefusal): AdminAnswer {
  switch (refusal.code) {
    case "BAD_BODY":
      return answerRefusal({ reason: "BadRequest", message: refusal.message });
    case "DERIVED": {
      const { kind, name } = refusal;
      return answerRefusal({ reason: "Forbidden", message: `${kind} "${name}" stays: ${refusal.message}`, details: { kind, name } });
    }
    case "OUTDATED": {
      const { kind, name } = refusal;
      return answerRefusal({ reason: "Conflict", message: `${kind} "${name}" is refused: ${refusal.message}`, details: { kind, name } });
    }
    case "STORE":
      return answerRefusal(refusalOfStore(refusal.error));
    case "PROBLEMS":
      return answerProblems(refusal.problems);
    default:
      return unreachable(refusal, "answerApplyRefusal");
  }
}

function answerProblems(problems: readonly Problem[]): AdminAnswer {
  const shown = problems.slice(0, CAUSES_MAX);
  const first = shown[0];
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return answerRefusal({
    reason: "Invalid",
    message: `Nothing was applied${first === undefined ? "" : `: ${formatProblem(first).split("\n", 1)[0]}`}${more}`,
    details: {
      causes: shown.map((problem) => ({
        reason: problem.code,
        message: `${problem.what} ${problem.why} ${problem.next}`,
        field: problem.path,
      })),
      problems: shown.map((problem) => ({ ...problem })),
    },
  });
}
