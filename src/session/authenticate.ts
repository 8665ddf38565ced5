// User authentication as Workbench does it: authenticate and account, no session.
import { type Bytes, shown } from '../bytes';
import type { Setting } from '../config/settings';
import { Failure } from '../errors';
import { PAM_ABORT, PAM_SUCCESS } from '../pam/constants';
import { PamError } from '../pam/error';
import type { Transaction } from '../pam/transaction';
import { explain } from './explain';
import { type PasswordRequest, type PasswordSource, planPassword } from './password';
import type { ConversationPolicy, SessionPlan, Situation } from './plan';
import { planProfile } from './profile-choice';
import { checkAccount, interrupted, type Step, setItems, takePassword, traced } from './run';
import type { PasswordSystem, SessionListener } from './session-system';
import { refuseSetuid } from './who';

/** What the command line asks for. */
export interface AuthenticationRequest {
  readonly user: Bytes;
  /** undefined: `rstudio` where it exists, else `other`, as Workbench does. */
  readonly profile: Bytes | undefined;
  readonly password: PasswordRequest;
  readonly tty: Bytes | undefined;
  readonly ruser: Bytes | undefined;
  readonly rhost: Bytes | undefined;
}

/** Everything that will be done. */
export interface AuthenticationPlan {
  /** Not looked up: whether the user exists is for PAM to say or not to say. */
  readonly user: Bytes;
  readonly profile: SessionPlan['profile'];
  readonly items: SessionPlan['items'];
  readonly password: Setting<PasswordSource>;
  readonly conversation: ConversationPolicy;
}

/** The plan of a request. Throws Failure for what cannot work whatever PAM says. */
export function planAuthentication(request: AuthenticationRequest, situation: Situation): AuthenticationPlan {
  if (request.user === '') throw new Failure('usage', 'the user name is empty');
  const { settings, caller } = situation;
  refuseSetuid(caller);
  return {
    user: request.user,
    profile: planProfile(
      request.profile !== undefined
        ? { name: request.profile, origin: { from: 'option', option: '--profile' }, allowOther: false }
        : { name: 'rstudio' as Bytes, origin: { from: 'default' }, allowOther: true },
      situation,
    ),
    items: {
      tty: request.tty ?? situation.terminal,
      ruser: request.ruser ?? caller.name,
      rhost: request.rhost,
    },
    password: planPassword(request.password, situation, 'always'),
    conversation: {
      requirePasswordPrompt: settings['auth-pam-require-password-prompt'].value,
      allowSwap: request.password.allowSwap,
      person: situation.hasTerminal() ? 'everything' : 'nothing',
    },
  };
}

/** Returns where PAM says yes. Throws a `refused` failure where it says no; modules set how long that takes. */
export async function authenticateUser(
  plan: AuthenticationPlan,
  system: PasswordSystem,
  listener: Pick<SessionListener, 'step'>,
): Promise<void> {
  const step: Step = (name, action) => traced(name, action, listener);
  let transaction: Transaction | undefined;
  let lastCode = PAM_ABORT;
  try {
    await takePassword(plan.password.value, system, step);
    const request = { service: plan.profile.service, user: plan.user, failDelay: true };
    transaction = step('pam_start', () => system.startTransaction(request));
    setItems(transaction, plan.items);
    step('pam_authenticate', () => transaction?.authenticate());
    checkAccount(transaction, { mayAsk: plan.conversation.person !== 'nothing' }, step);
    lastCode = PAM_SUCCESS;
  } catch (error) {
    if (error instanceof PamError) lastCode = error.code;
    const signal = await system.arrivedSignal();
    if (signal !== undefined) throw interrupted(signal);
    throw error instanceof PamError ? refusalOf(error, plan) : error;
  } finally {
    system.forgetPassword();
    const end = { status: lastCode, keepSession: false };
    if (transaction !== undefined) step('pam_end', () => transaction?.end(end));
  }
}

/** What PAM answers about a user who does not exist must read like a wrong password. */
const ALIKE = ['PAM_AUTH_ERR', 'PAM_USER_UNKNOWN', 'PAM_PERM_DENIED', 'PAM_CONV_ERR', 'PAM_AUTHTOK_ERR'];

function refusalOf(error: PamError, plan: AuthenticationPlan): Failure {
  if (error.call === 'pam_authenticate' && error.refusal?.reason !== 'nobody' && ALIKE.includes(error.name)) {
    return new Failure(
      'refused',
      `${shown(plan.user)}: denied by PAM profile "${plan.profile.service}": Authentication failure`,
      { cause: error },
    );
  }
  const { message, hint } = explain(
    error,
    { ...plan, account: { name: plan.user }, privilege: 'root' },
    true,
  );
  return new Failure(error.call === 'pam_start' ? 'pam-start' : 'refused', message, { hint, cause: error });
}
