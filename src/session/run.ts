// Runs a plan: the order of the steps, and the only undo. Reads like the manual's section SEQUENCE.
import { type Bytes, shown } from '../bytes';
import { type CommandEnd, Failure } from '../errors';
import { PAM_ABORT, PAM_NEW_AUTHTOK_REQD, PAM_SUCCESS } from '../pam/constants';
import { PamError } from '../pam/error';
import type { Transaction } from '../pam/transaction';
import { candidates } from './command';
import { buildEnvironment, environmentEntries } from './environment';
import { closingWarning, explain } from './explain';
import type { MountWatch } from './left-mounts';
import type { PasswordSource } from './password';
import type { SessionPlan } from './plan';
import type { PasswordSystem, SessionCommand, SessionListener, SessionSystem } from './session-system';
import type { PlannedAccount } from './who';

/** Opens the session, runs the command in it, and leaves or closes the session as the plan says. */
export async function runSession(
  plan: SessionPlan,
  system: SessionSystem,
  listener: SessionListener,
): Promise<CommandEnd> {
  const { profile, privilege } = plan;
  const step = <T>(name: string, action: () => T): T => traced(name, action, listener);

  let transaction: Transaction | undefined;
  let lastCode = PAM_ABORT;
  let hasCredentials = false;
  let hasSession = false;
  let opened = false;
  let leaveOpen = false;
  let mounts: MountWatch | undefined;
  try {
    if (plan.pam.value) {
      await takePassword(plan.password.value, system, step);
      const request = { service: profile.service, user: plan.account.name, failDelay: false };
      transaction = step('pam_start', () => system.startTransaction(request));
      setItems(transaction, plan.items);
      step('pam_authenticate', () => transaction?.authenticate());
      checkAccount(transaction, { mayAsk: plan.conversation.person !== 'nothing' }, step);
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
      mounts = system.watchMounts(account, profile.text);
      step('pam_open_session', () => transaction?.openSession());
      opened = true;
      mounts.opened();
    }
    system.forgetPassword();
    if (!plan.exec) step('session limits', () => system.takeSessionLimits());
    const signal = await system.arrivedSignal();
    if (signal !== undefined) throw interrupted(signal);
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
    if (error instanceof PamError) lastCode = error.code;
    const signal = await system.arrivedSignal();
    if (signal !== undefined) throw interrupted(signal);
    throw error instanceof PamError ? explain(error, plan, system.mayRaiseLimits()) : error;
  } finally {
    system.forgetPassword();
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
      if (!leaveOpen && hasSession) {
        undo('pam_close_session', () => transaction?.closeSession());
        if (opened) for (const text of mounts?.left() ?? []) listener.warn(text);
      }
      if (!leaveOpen && hasCredentials) undo('pam_setcred (delete)', () => transaction?.deleteCredentials());
      undo('pam_end', () => transaction?.end({ status: lastCode, keepSession: leaveOpen }));
    }
  }
}

/** Takes a step and tells what came of it. */
export type Step = <T>(name: string, action: () => T) => T;

/** A step that is told to the listener, whatever comes of it. */
export function traced<T>(name: string, action: () => T, listener: Pick<SessionListener, 'step'>): T {
  try {
    const result = action();
    listener.step(name, 'ok');
    return result;
  } catch (error) {
    listener.step(name, error instanceof PamError ? error.name : 'failed');
    throw error;
  }
}

/** Gets the password, where there is one. Throws where a signal came meanwhile. */
export async function takePassword(
  source: PasswordSource,
  system: PasswordSystem,
  step: Step,
): Promise<void> {
  if (source.from === 'none') return;
  step('password', () => system.takePassword(source));
  const signal = await system.arrivedSignal();
  if (signal !== undefined) throw interrupted(signal);
}

/** The items that tell modules who asks from where (pam_set_item(3)). */
export function setItems(transaction: Transaction, { tty, ruser, rhost }: SessionPlan['items']): void {
  if (tty !== undefined) transaction.setItem('tty', tty);
  transaction.setItem('ruser', ruser);
  if (rhost !== undefined) transaction.setItem('rhost', rhost);
}

/** pam_acct_mgmt(3); an expired password is changed where there is somebody to do it. */
export function checkAccount(transaction: Transaction, { mayAsk }: { mayAsk: boolean }, step: Step): void {
  try {
    step('pam_acct_mgmt', () => transaction.accountManagement());
  } catch (error) {
    if (!mayAsk || !(error instanceof PamError) || error.code !== PAM_NEW_AUTHTOK_REQD) throw error;
    step('pam_chauthtok', () => transaction.changeExpiredPassword());
  }
}

/** The failure that stands for a signal; its exit status tells which. */
export function interrupted(signal: number): Failure {
  return new Failure('interrupted', 'ended before the command was started, by', { signal });
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
