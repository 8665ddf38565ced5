// A libpam call that did not succeed: which call, which code.
import { codeName, type PamCode } from './constants';
import type { Refusal } from './conversation';

/** The libpam functions this program calls. */
export type PamCall =
  | 'pam_start'
  | 'pam_set_item'
  | 'pam_get_item'
  | 'pam_authenticate'
  | 'pam_acct_mgmt'
  | 'pam_chauthtok'
  | 'pam_setcred'
  | 'pam_open_session'
  | 'pam_close_session'
  | 'pam_end';

/** Carries what libpam said and, when a module asked a question, what it asked. */
export class PamError extends Error {
  readonly call: PamCall;
  /** The number libpam returned. */
  readonly code: number;
  override readonly name: PamCode;
  /** The question that was refused during the call, and why. */
  readonly refusal: Refusal | undefined;

  constructor(failure: { call: PamCall; code: number; text: string; refusal?: Refusal | undefined }) {
    super(failure.text);
    this.call = failure.call;
    this.code = failure.code;
    this.name = codeName(failure.code);
    this.refusal = failure.refusal;
  }
}
