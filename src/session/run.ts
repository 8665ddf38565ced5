// Runs a plan: the order of the steps, and the only undo. Reads like the manual's section SEQUENCE.
import { type Bytes, toText } from '../bytes';
import { type CommandEnd, Failure, type FailureKind } from '../errors';
import { PAM_ABORT, PAM_SUCCESS } from '../pam/constants';
import { PamError } from '../pam/error';
import type { Transaction } from '../pam/transaction';
import { candidates } from './command';
import { buildEnvironment, environmentEntries } from './environment';
import { hintFor } from './hints';
import { type PlannedAccount, type SessionPlan, shown } from './plan';

/** What is started inside the session. */
export interface SessionCommand {
  readonly file: Bytes;
  /** The paths to try for it, in turn. */
  readonly candidates: readonly Bytes[];
  readonly argv: readonly Bytes[];
  readonly environment: readonly Bytes[];
  readonly directory: Bytes | undefined;
  readonly newSession: boolean;
}

/** What running a plan needs of this machine and this process. Each call throws Failure. */
export interface SessionSystem {
  startTransaction(service: string, user: Bytes): Transaction;
  findAccount(name: Bytes): PlannedAccount | undefined;
  joinGroups(account: PlannedAccount): void;
  /** Limits before the session sets its own: reset as su does, or as the caller had them. */
  prepareLimits(start: 'as su' | 'as the caller'): void;
  /** Reads the session's limits and, where they are too tight for us, raises our own again. */
  takeSessionLimits(): void;
  /** Our own limits back, as far as the kernel allows. */
  restoreLimits(): void;
  mayRaiseLimits(): boolean;
  /** From now on termination signals wait for us instead of ending this process. */
  holdSignals(): void;
  /** The number of a termination signal that arrived since holdSignals, or undefined. */
  arrivedSignal(): Promise<number | undefined>;
  start(account: PlannedAccount, privilege: SessionPlan['privilege'], command: SessionCommand): number;
  replace(account: PlannedAccount, privilege: SessionPlan['privilege'], command: SessionCommand): never;
  /** Waits for the command, and with `endGroup` until nothing of its process group is left. */
  supervise(
    pid: number,
    options: { newSession: boolean; endGroup: boolean; stopTimeout: number },
  ): Promise<CommandEnd>;
}

/** Is told what happens. */
export interface SessionListener {
  /** A step was taken: what it was and what came of it. */
  step(name: string, outcome: string): void;
  /** Closing failed; this never changes how the command ended. */
  warn(text: string): void;
}

const FAILURE_OF_CALL: Readonly<Record<string, FailureKind>> = {
  pam_start: 'pam-start',
  pam_authenticate: 'authentication',
  pam_acct_mgmt: 'account',
  pam_setcred: 'credentials',
  pam_open_session: 'session',
};

const REFUSALS: Readonly<Record<string, string>> = {
  pam_start: 'cannot start a transaction with',
  pam_authenticate: 'denied by',
  pam_acct_mgmt: 'account refused by',
  pam_setcred: 'no credentials from',
  pam_open_session: 'session refused by',
};

/** Opens the session, runs the command in it, and leaves or closes the session as the plan says. */
export async function runSession(
  plan: SessionPlan,
  system: SessionSystem,
  listener: SessionListener,
): Promise<CommandEnd> {
  const { profile, items, privilege } = plan;
  const step = <T>(name: string, action: () => T): T => traced(name, action, listener);

  let transaction: Transaction | undefined;
  let lastCode = PAM_ABORT;
  let hasCredentials = false;
  let hasSession = false;
  let opened = false;
  let leaveOpen = false;
  try {
    if (plan.pam.value) {
      transaction = step('pam_start', () => system.startTransaction(profile.service, plan.account.name));
      setItems(transaction, items);
      step('pam_authenticate', () => transaction?.authenticate());
      step('pam_acct_mgmt', () => transaction?.accountManagement());
      requireSameUser(transaction.user(), plan);
    }
    const account = requireSameAccount(plan, system);
    if (privilege === 'root') step('initgroups', () => system.joinGroups(account));
    system.holdSignals();
    if (transaction !== undefined) {
      step('pam_setcred', () => transaction?.establishCredentials());
      hasCredentials = true;
    }
    system.prepareLimits(plan.pam.value ? 'as su' : 'as the caller');
    if (transaction !== undefined) {
      // Set before the call: modules that ran before the one that failed have left their traces.
      hasSession = true;
      step('pam_open_session', () => transaction?.openSession());
      opened = true;
    }
    if (!plan.exec) step('session limits', () => system.takeSessionLimits());
    const interruption = await system.arrivedSignal();
    if (interruption !== undefined) {
      throw new Failure('interrupted', 'ended by a signal before the command was started', {
        signal: interruption,
      });
    }
    const command = commandOf(plan, account, transaction?.environment() ?? []);
    if (plan.exec) step('execve', () => system.replace(account, privilege, command));
    const pid = step('spawn', () => system.start(account, privilege, command));
    system.restoreLimits();
    const end = await system.supervise(pid, {
      newSession: plan.newSession,
      endGroup: plan.onExit.value === 'close',
      stopTimeout: plan.stopTimeout.value,
    });
    listener.step('command', 'code' in end ? `exit status ${end.code}` : `signal ${end.signal}`);
    lastCode = PAM_SUCCESS;
    leaveOpen = plan.onExit.value === 'keep';
    return end;
  } catch (error) {
    if (!(error instanceof PamError)) throw error;
    lastCode = error.code;
    throw explain(error, plan, system.mayRaiseLimits());
  } finally {
    if (transaction !== undefined) {
      system.restoreLimits();
      const undo = (name: string, action: () => void): void => {
        try {
          step(name, action);
        } catch (error) {
          // What failed to open fails to close as well: the first failure says it all.
          if (opened) listener.warn(closingWarning(plan, error));
        }
      };
      if (!leaveOpen && hasSession) undo('pam_close_session', () => transaction?.closeSession());
      if (!leaveOpen && hasCredentials) undo('pam_setcred (delete)', () => transaction?.deleteCredentials());
      undo('pam_end', () => transaction?.end({ status: lastCode, keepSession: leaveOpen }));
    }
  }
}

function traced<T>(name: string, action: () => T, listener: SessionListener): T {
  try {
    const result = action();
    listener.step(name, 'ok');
    return result;
  } catch (error) {
    listener.step(name, error instanceof PamError ? error.name : 'failed');
    throw error;
  }
}

function setItems(transaction: Transaction, { tty, ruser, rhost }: SessionPlan['items']): void {
  if (tty !== undefined) transaction.setItem('tty', tty);
  transaction.setItem('ruser', ruser);
  if (rhost !== undefined) transaction.setItem('rhost', rhost);
}

function requireSameUser(user: Bytes, { account, profile }: SessionPlan): void {
  if (user === account.name) return;
  throw new Failure(
    'user-changed',
    `${shown(account.name)}: PAM profile "${profile.service}" changed the user to "${shown(user)}", which is refused`,
  );
}

/** Modules may have created or changed the account: its current entry counts, but not another user id. */
function requireSameAccount({ account }: SessionPlan, system: SessionSystem): PlannedAccount {
  const now = system.findAccount(account.name);
  if (now?.uid === account.uid) return now;
  throw new Failure(
    'user-changed',
    `${shown(account.name)}: the account ${now === undefined ? 'vanished' : `got user id ${now.uid}`} during authentication`,
  );
}

function commandOf(plan: SessionPlan, account: PlannedAccount, pam: readonly Bytes[]): SessionCommand {
  const environment = buildEnvironment({ ...plan.environment, account, pam });
  return {
    file: plan.command.file,
    candidates: candidates(plan.command.file, environment.get('PATH' as Bytes)),
    argv: plan.command.argv,
    environment: environmentEntries(environment),
    directory: plan.directory.value,
    newSession: plan.newSession,
  };
}

function explain(error: PamError, plan: SessionPlan, mayRaiseLimits: boolean): Failure {
  const user = shown(plan.account.name);
  const asked =
    error.refusedPrompt === undefined ? '' : `, after the question "${error.refusedPrompt.trim()}"`;
  return new Failure(
    FAILURE_OF_CALL[error.call] ?? 'internal',
    `${user}: ${REFUSALS[error.call] ?? 'failure in'} PAM profile "${plan.profile.service}"${asked}: ` +
      `${error.message} (${error.call}: ${error.name})`,
    {
      hint: hintFor({
        error,
        user: toText(plan.account.name),
        profileText: plan.profile.text,
        privilege: plan.privilege,
        mayRaiseLimits,
      }),
      cause: error,
    },
  );
}

function closingWarning(plan: SessionPlan, error: unknown): string {
  const what = error instanceof PamError ? `${error.message} (${error.call}: ${error.name})` : String(error);
  return `${shown(plan.account.name)}: closing the session of PAM profile "${plan.profile.service}": ${what}`;
}
