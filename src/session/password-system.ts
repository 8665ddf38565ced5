// The real PasswordSystem: a guarded secret, the conversation that gives it away, and libpam.
import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { fromText } from '../bytes';
import { Failure } from '../errors';
import { converseWith } from '../pam/conversation';
import { PamTransaction } from '../pam/transaction';
import { ask, QUESTION_SIGNALS } from '../system/prompt';
import { guardMemory, Secret } from '../system/secret';
import { catchSignals, type SignalName, signalNumber } from '../system/signals';
import type { PasswordSource } from './password';
import type { ConversationPolicy } from './plan';
import type { PasswordSystem } from './session-system';

export interface PasswordOptions {
  readonly policy: ConversationPolicy;
  /** Shows what a module has to say. */
  show(text: string): void;
  /** Whose password is asked for at the terminal. */
  readonly question: string;
  /** What the caller ignored stays ignored at a question too (nohup(1)). */
  readonly ignoredSignals: readonly number[];
}

/** Builds it; `arrived` collects the signals that came while they were held. */
export function passwordSystem(
  { policy, show, question, ignoredSignals }: PasswordOptions,
  arrived: SignalName[],
): PasswordSystem {
  let secret: Secret | undefined;
  let liftGuard: (() => void) | undefined;
  const { allowSwap } = policy;
  let release: (() => void) | undefined;

  const askPerson = (text: string, { echo, mayBeEmpty }: { echo: boolean; mayBeEmpty: boolean }): Secret => {
    // Kept until the event loop has run: a signal that comes a moment too early is noticed then.
    release ??= catchSignals(
      QUESTION_SIGNALS.filter((name) => !ignoredSignals.includes(signalNumber(name))),
      (name) => arrived.push(name),
    );
    const answer = ask({ text, echo, mayBeEmpty, allowSwap });
    if (answer === undefined) throw new Failure('secret', 'the question at the terminal was interrupted');
    return answer;
  };

  return {
    takePassword: (source) => {
      liftGuard = guardMemory();
      secret =
        source.from === 'terminal'
          ? askPerson(question, { echo: false, mayBeEmpty: false })
          : readSecret(source, allowSwap);
    },
    forgetPassword: () => {
      secret?.wipe();
      secret = undefined;
      liftGuard?.();
      liftGuard = undefined;
    },
    startTransaction: ({ service, user, failDelay }) =>
      PamTransaction.start({
        service: fromText(service),
        user,
        failDelay,
        conversation: converseWith({
          show,
          password: () => (secret === undefined ? undefined : secretReply(secret)),
          requirePasswordPrompt: policy.requirePasswordPrompt,
          person: policy.person,
          ask: (text, echo) => {
            const answer = askPerson(text, { echo, mayBeEmpty: true });
            return { ...secretReply(answer), release: () => answer.wipe() };
          },
        }),
      }),
    arrivedSignal: async () => {
      // Node tells of signals when its event loop runs.
      await new Promise((resolve) => setImmediate(resolve));
      release?.();
      release = undefined;
      const first = arrived.find((name) => QUESTION_SIGNALS.includes(name));
      return first === undefined ? undefined : signalNumber(first);
    },
  };
}

function secretReply(secret: Secret): { address: bigint; length: number } {
  return { address: secret.address, length: secret.length };
}

function readSecret(source: PasswordSource, allowSwap: boolean): Secret {
  const secret = Secret.allocate({ allowSwap });
  try {
    if (source.from === 'credential') readCredential(secret, source);
    else if (source.from === 'fd') readDescriptor(secret, source.fd);
    else secret.readLine({ fd: 0, name: 'standard input', whole: false });
    return secret;
  } catch (error) {
    secret.wipe();
    throw error;
  }
}

function readDescriptor(secret: Secret, fd: number): void {
  try {
    if (isatty(fd)) {
      throw new Failure('usage', `--password-fd ${fd} is a terminal, which would show the password`, {
        hint: '--password asks without showing it',
      });
    }
    secret.readLine({ fd, name: `file descriptor ${fd}`, whole: false });
  } finally {
    // A program that a module starts could read a file again from its beginning.
    if (fd > 2) closeSync(fd);
  }
}

function readCredential(secret: Secret, { file, name }: { file: string; name: string }): void {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure('secret', `the credential "${name}" (${file}) cannot be read: ${code}`);
  }
  try {
    secret.readLine({ fd, name: `the credential "${name}"`, whole: true });
  } finally {
    closeSync(fd);
  }
}
