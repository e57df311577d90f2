import { ROLE_IDS, START_ID, TURN_END_ID, type ChatRole } from "./token-ids.ts";
import { tokenize } from "./tokenize.ts";

/** One message of a chat, its content already flattened to text. */
export interface ChatMessage {
  readonly role: ChatRole;
  readonly text: string;
}

export interface ChatTemplate {
  /** Declarations of tools, shown to the model before the first message; null = none. */
  readonly toolsText: string | null;
  /** true = the answer is a new message of the assistant. */
  readonly addsGenerationPrompt: boolean;
  /** true = the last message is left open, so that the answer continues it. Never together with a generation prompt. */
  readonly continuesLast: boolean;
}

/** The chat as the model reads it. Text cannot imitate the marks between messages: those are ids without text. */
export function renderChat(messages: readonly ChatMessage[], template: ChatTemplate): number[] {
  const ids = [START_ID];
  if (template.toolsText !== null) appendTurn(ids, { role: "system", text: template.toolsText }, true);
  for (const [index, message] of messages.entries()) {
    const isOpen = template.continuesLast && index === messages.length - 1;
    appendTurn(ids, message, !isOpen);
  }
  if (template.addsGenerationPrompt) ids.push(ROLE_IDS.assistant);
  return ids;
}

function appendTurn(ids: number[], message: ChatMessage, isClosed: boolean): void {
  ids.push(ROLE_IDS[message.role]);
  // One at a time: a spread of a long prompt would not fit the stack.
  for (const id of tokenize(message.text)) ids.push(id);
  if (isClosed) ids.push(TURN_END_ID);
}
