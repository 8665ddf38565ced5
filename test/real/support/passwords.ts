// Opens sessions with a password, as a portal does: on standard input, and never on the command line.
import '../../support/throwaway';
import { randomBytes } from 'node:crypto';
import { type Outcome, type Running, run, start, TOOL } from '../../support/tool';

/** A password of 24 bytes that is nowhere else. */
export function randomPassword(): string {
  return randomBytes(18).toString('base64url');
}

export interface TimedOutcome extends Outcome {
  readonly milliseconds: number;
}

/** Runs `rsession-pam open` with these words to its end; what the command reads comes behind the password. */
export function openWith(password: string, ...args: string[]): TimedOutcome {
  return timed(['open', '--password-stdin', ...args], `${password}\n`);
}

/** Runs `rsession-pam authenticate`. */
export function authenticateWith(password: string, ...args: string[]): TimedOutcome {
  return timed(['authenticate', '--password-stdin', ...args], `${password}\n`);
}

/** Starts `rsession-pam open` with these words, and goes on when it has the password. */
export function startWith(password: string, ...args: string[]): Running {
  const running = start(TOOL, ['open', '--password-stdin', ...args]);
  running.process.stdin?.write(`${password}\n`);
  return running;
}

function timed(args: readonly string[], input: string): TimedOutcome {
  const begin = performance.now();
  const outcome = run(TOOL, args, { input });
  return { ...outcome, milliseconds: performance.now() - begin };
}
