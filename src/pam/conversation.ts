// What we say when a module talks: messages are shown, questions answered, asked of the person, or refused.
import { type Bytes, toText } from '../bytes';
import type { RawConversation, RawMessage, RawReply } from '../ffi/libpam';
import { PAM_CONV_ERR, STYLE } from './constants';

/** Why a question was refused. */
export interface Refusal {
  readonly prompt: string;
  /** `again`: the password was given already, so it is wrong. `nobody`: there is no one to ask. */
  readonly reason: 'again' | 'nobody';
}

/** What answers come from. */
export interface Answers {
  /** Shows what a module has to say. */
  show(text: string): void;
  /** The password, while there is one. */
  password(): RawReply | undefined;
  /** Whether the password goes only to questions that ask for a password (auth-pam-require-password-prompt). */
  readonly requirePasswordPrompt: boolean;
  /** What the person at the terminal is asked. */
  readonly person: 'everything' | 'new password' | 'nothing';
  /** Asks the person; throws where there is no answer. */
  ask(prompt: string, echo: boolean): RawReply;
}

/** A conversation and what it refused. */
export interface Conversation {
  readonly converse: RawConversation;
  /** Ends a call of libpam: what was refused in it, and what went wrong and could not unwind through C. */
  endCall(): { readonly refusal: Refusal | undefined; readonly error: unknown };
  /** From here on the person is asked everything: a new password is not the one we have. */
  askPersonOnly(): void;
}

/**
 * Shows informational and error messages and reports success for them: a login must not fail because a
 * module had something to say. The password answers each question for it once: who asks again found it
 * wrong, and asking on would lock the account. Other questions go to the person; where there is none they
 * are refused with PAM_CONV_ERR (pam_conv(3)).
 */
export function converseWith(answers: Answers): Conversation {
  const answered = new Set<string>();
  let refusal: Refusal | undefined;
  let failure: unknown;
  let personOnly = false;
  let gaveUp = false;

  const refuse = (prompt: string, reason: Refusal['reason']): undefined => {
    refusal = { prompt, reason };
    return undefined;
  };

  const replyTo = ({ style, text }: RawMessage): RawReply | undefined => {
    const prompt = printable(text);
    const password =
      style === STYLE.promptEchoOff && !personOnly && !asksForNewPassword(prompt)
        ? answers.password()
        : undefined;
    if (password !== undefined && (!answers.requirePasswordPrompt || asksForPassword(prompt))) {
      if (answered.has(prompt)) return refuse(prompt, 'again');
      answered.add(prompt);
      return password;
    }
    if (answers.person === 'everything' || (answers.person === 'new password' && personOnly)) {
      return answers.ask(prompt, style === STYLE.promptEchoOn);
    }
    return refuse(prompt, 'nobody');
  };

  return {
    converse: (messages) => {
      const replies: (RawReply | undefined)[] = [];
      const giveUp = (): number => {
        for (const reply of replies) reply?.release?.();
        return PAM_CONV_ERR;
      };
      // A module that asks on after an interruption would keep the person from leaving.
      if (gaveUp && messages.some(isQuestion)) return PAM_CONV_ERR;
      try {
        for (const message of messages) {
          const asks = isQuestion(message);
          if (!asks && message.text !== '') answers.show(printable(message.text).trimEnd());
          const reply = asks ? replyTo(message) : undefined;
          if (asks && reply === undefined) return giveUp();
          replies.push(reply);
        }
        return replies;
      } catch (error) {
        failure = error;
        gaveUp = true;
        return giveUp();
      }
    },
    endCall: () => {
      const outcome = { refusal, error: failure };
      refusal = undefined;
      failure = undefined;
      // The same question in another call is no repetition: pam_mount asks again when the session opens.
      answered.clear();
      return outcome;
    },
    askPersonOnly: () => {
      personOnly = true;
    },
  };
}

function isQuestion({ style }: RawMessage): boolean {
  return style !== STYLE.textInfo && style !== STYLE.errorMessage;
}

/**
 * Whether a question wants the login password: `Password:`, `Password for alice@REALM:`, `reenter password
 * for pam_mount:`, but not a one-time or a new one.
 */
export function asksForPassword(prompt: string): boolean {
  return (
    /\bpassword\b/i.test(prompt) &&
    !asksForNewPassword(prompt) &&
    !/\b(one[- ]?time|otp|oath|token|verification|code|current)\b/i.test(withoutNames(prompt))
  );
}

/**
 * Whether a question wants a password that shall hold from now on: a module may ask for one while it
 * authenticates (pam_krb5), and the old one must not become the new one.
 */
export function asksForNewPassword(prompt: string): boolean {
  return (
    !/\breenter password for pam_mount\b/i.test(prompt) &&
    /\b(new|retype|re-?enter|again)\b/i.test(withoutNames(prompt))
  );
}

/** A user or a realm may be called "new". */
function withoutNames(prompt: string): string {
  return prompt.replace(/\bfor\s+\S+/gi, '').replace(/\S+@\S+/g, '');
}

/** Control characters out: a module's text may hold what a directory server or a user sent. */
function printable(text: Bytes): string {
  return toText(text).replace(/[^\P{Cc}\n\t]/gu, '?');
}
