import { createAnswerText } from "../engine-model/answer-text.ts";
import { renderChat } from "../engine-model/render-chat.ts";
import { END_ID } from "../engine-model/token-ids.ts";
import { createContextSource } from "../engine-model/token-source.ts";

export interface Question {
  readonly model: string;
  readonly revision: string;
  readonly prompt: string;
  readonly tokensMax: number;
}

/** What an engine samples with when a chat asks for temperature 0 and nothing else. */
const GREEDY = { temperature: 0, topP: 1, topK: 0, seed: null, penalties: [0, 0, 1, 0] };

/** The model's own answer to one message of a user, made without any engine: what every client must get, whoever served it. */
export function expectedAnswer({ model, revision, prompt, tokensMax }: Question): string {
  const template = { toolsText: null, addsGenerationPrompt: true, continuesLast: false };
  const ids = renderChat([{ role: "user", text: prompt }], template);
  const source = createContextSource({ model, revision, sampling: GREEDY, choice: 0 }, ids);
  const text = createAnswerText({ stops: [], isStopShown: false, minTokens: 0 });
  let answer = "";
  for (let count = 0; count < tokensMax; count += 1) {
    const id = source.next();
    answer += text.push(id);
    if (id === END_ID) break;
  }
  return answer + text.end();
}
