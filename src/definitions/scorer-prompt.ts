import type { PromptBook } from './prompts.ts';

/** The text of the scorer's prompt. The scorer fills its placeholders, turn by turn; the book finds and checks the file. */
export function scorerPrompt(book: PromptBook): string {
  return book.renderOther('score_conversation', {
    conversation: '{{conversation}}',
    customer_turns: '{{customer_turns}}',
  });
}
