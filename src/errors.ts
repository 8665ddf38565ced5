// The closed list of what can go wrong, and the exit status of each; nothing else chooses a status.

/** Every failure of this program. */
export type FailureKind =
  | 'usage'
  | 'config'
  | 'not-allowed'
  | 'unknown-user'
  | 'no-profile'
  | 'secret'
  | 'refused'
  | 'pam-start'
  | 'authentication'
  | 'account'
  | 'user-changed'
  | 'groups'
  | 'credentials'
  | 'session'
  | 'limits'
  | 'directory'
  | 'identity'
  | 'cannot-run'
  | 'not-found'
  | 'interrupted'
  | 'internal';

/**
 * Exit statuses as env(1), timeout(1) and docker run use them: 125 for a failure of this program, 126 and
 * 127 for a command that cannot be run or is not found. R itself uses 1 and 2.
 */
const EXIT_STATUS: Readonly<Record<Exclude<FailureKind, 'interrupted'>, number>> = {
  usage: 125,
  config: 125,
  'not-allowed': 125,
  'unknown-user': 125,
  'no-profile': 125,
  secret: 125,
  refused: 1,
  'pam-start': 125,
  authentication: 125,
  account: 125,
  'user-changed': 125,
  groups: 125,
  credentials: 125,
  session: 125,
  limits: 125,
  directory: 125,
  identity: 125,
  'cannot-run': 126,
  'not-found': 127,
  internal: 125,
};

/** A failure with what a person needs: one line that says what and why, and a hint where we know a remedy. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly hint: string | undefined;
  /** The signal number behind an `interrupted` failure. */
  readonly signal: number | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    more: { hint?: string | undefined; signal?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.kind = kind;
    this.hint = more.hint;
    this.signal = more.signal;
  }
}

/** The exit status of a failure. */
export function failureStatus(failure: Failure): number {
  return failure.kind === 'interrupted' ? signalStatus(failure.signal ?? 0) : EXIT_STATUS[failure.kind];
}

/** How a command ended. */
export type CommandEnd =
  | { readonly code: number }
  | { readonly signal: number; readonly coreDumped: boolean };

/** The exit status that stands for a command's end: its own, or 128 + the signal, as shells do. */
export function commandStatus(end: CommandEnd): number {
  return 'code' in end ? end.code : signalStatus(end.signal);
}

function signalStatus(signal: number): number {
  return 128 + signal;
}
