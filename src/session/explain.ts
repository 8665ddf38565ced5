// From libpam's answer to the failure a person reads; pure.
import { shown, toText } from '../bytes';
import { Failure, type FailureKind } from '../errors';
import { type PamCall, PamError } from '../pam/error';
import { hintFor } from './hints';
import type { SessionPlan } from './plan';

const KINDS: Partial<Record<PamCall, { readonly kind: FailureKind; readonly what: string }>> = {
  pam_start: { kind: 'pam-start', what: 'cannot start a transaction with' },
  pam_authenticate: { kind: 'authentication', what: 'denied by' },
  pam_acct_mgmt: { kind: 'account', what: 'account refused by' },
  pam_chauthtok: { kind: 'account', what: 'password not changed by' },
  pam_setcred: { kind: 'credentials', what: 'no credentials from' },
  pam_open_session: { kind: 'session', what: 'session refused by' },
};

/** The part of a plan that a failure is explained with. */
export type ExplainedPlan = Pick<SessionPlan, 'profile' | 'privilege' | 'password'> & {
  readonly account: Pick<SessionPlan['account'], 'name'>;
};

/** *who: what, by which profile, why (call: CODE)*, and a hint where we know a remedy. */
export function explain(error: PamError, plan: ExplainedPlan, mayRaiseLimits: boolean): Failure {
  const { kind, what } = KINDS[error.call] ?? { kind: 'internal', what: 'failure in' };
  const asked = error.refusal === undefined ? '' : `, after the question "${error.refusal.prompt.trim()}"`;
  return new Failure(
    kind,
    `${shown(plan.account.name)}: ${what} PAM profile "${plan.profile.service}"${asked}: ` +
      `${error.message} (${error.call}: ${error.name})`,
    {
      hint: hintFor({
        error,
        user: toText(plan.account.name),
        profileText: plan.profile.text,
        privilege: plan.privilege,
        withPassword: plan.password.value.from !== 'none',
        mayRaiseLimits,
      }),
      cause: error,
    },
  );
}

/** What could not be closed. */
export function closingWarning(plan: ExplainedPlan, error: unknown): string {
  const what = error instanceof PamError ? `${error.message} (${error.call}: ${error.name})` : String(error);
  return `${shown(plan.account.name)}: closing the session of PAM profile "${plan.profile.service}": ${what}`;
}
