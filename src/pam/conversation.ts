// What we say when a module talks: messages are shown, questions are refused.
import { type Bytes, toText } from '../bytes';
import type { RawConversation } from '../ffi/libpam';
import { PAM_CONV_ERR, PAM_SUCCESS, STYLE } from './constants';

/** A conversation and the question that it refused, if any. */
export interface Conversation {
  readonly converse: RawConversation;
  /** The text of the prompt refused since the last call, then forgotten. */
  takeRefusedPrompt(): string | undefined;
}

/**
 * Shows informational and error messages and reports success for them: a login must not fail because a
 * module had something to say. Any prompt is refused with PAM_CONV_ERR (pam_conv(3)).
 */
export function messagesOnly(show: (text: string) => void): Conversation {
  let refused: string | undefined;
  return {
    converse: (messages) => {
      for (const { style, text } of messages) {
        if (style === STYLE.textInfo || style === STYLE.errorMessage) {
          if (text !== '') show(printable(text));
        } else {
          refused = printable(text);
          return PAM_CONV_ERR;
        }
      }
      return PAM_SUCCESS;
    },
    takeRefusedPrompt: () => {
      const prompt = refused;
      refused = undefined;
      return prompt;
    },
  };
}

/** Control characters out: a module's text may hold what a directory server or a user sent. */
function printable(text: Bytes): string {
  return toText(text)
    .replace(/[^\P{Cc}\n\t]/gu, '?')
    .trimEnd();
}
