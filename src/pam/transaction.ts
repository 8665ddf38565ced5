// One PAM transaction, pam_start to pam_end, in our words and without pointers.
import type { Bytes } from '../bytes';
import type { Address } from '../ffi/koffi';
import {
  type Callback,
  conversationCallback,
  getenvlist,
  noFailDelayCallback,
  pam_acct_mgmt,
  pam_authenticate,
  pam_chauthtok,
  pam_close_session,
  pam_end,
  pam_get_item,
  pam_open_session,
  pam_set_item,
  pam_setcred,
  pam_start,
  strerror,
} from '../ffi/libpam';
import { cString, offHeap, readCString } from '../ffi/memory';
import {
  CREDENTIALS,
  ITEM,
  PAM_CHANGE_EXPIRED_AUTHTOK,
  PAM_DATA_SILENT,
  PAM_SILENT,
  PAM_SUCCESS,
} from './constants';
import type { Conversation } from './conversation';
import { type PamCall, PamError } from './error';

/** How a transaction ends: the last code, and whether modules leave the outside world alone. */
export interface TransactionEnd {
  readonly status: number;
  readonly keepSession: boolean;
}

/** The calls of pam(3). Each throws PamError when libpam does not answer PAM_SUCCESS. */
export interface Transaction {
  setItem(item: 'tty' | 'ruser' | 'rhost', value: Bytes): void;
  authenticate(): void;
  accountManagement(): void;
  /** Has the person change an expired password (pam_chauthtok(3)); needs a terminal. */
  changeExpiredPassword(): void;
  /** PAM_USER as the modules left it (pam_get_item(3)). */
  user(): Bytes;
  establishCredentials(): void;
  deleteCredentials(): void;
  openSession(): void;
  closeSession(): void;
  /** `NAME=value` entries; complete only after openSession (pam_getenvlist(3)). */
  environment(): Bytes[];
  end(how: TransactionEnd): void;
}

/** Owns a pam_handle_t and the C callbacks it holds. After `end` no other method may be called. */
export class PamTransaction implements Transaction {
  readonly #handle: Address;
  readonly #conversation: Conversation;
  readonly #callbacks: readonly Callback[];

  private constructor(handle: Address, conversation: Conversation, callbacks: readonly Callback[]) {
    this.#handle = handle;
    this.#conversation = conversation;
    this.#callbacks = callbacks;
  }

  /** pam_start(3). A handle that start did not give is never ended. */
  static start(request: {
    service: Bytes;
    user: Bytes;
    conversation: Conversation;
    /** Whether a failure takes as long as the modules ask for (pam_fail_delay(3)): where somebody guesses. */
    failDelay: boolean;
  }): PamTransaction {
    const converse = conversationCallback(request.conversation.converse);
    const delay = noFailDelayCallback();
    const handle = offHeap(8);
    const conv = offHeap(16);
    conv.writeBigUInt64LE(converse.address);
    const code = pam_start(cString(request.service), cString(request.user), conv, handle);
    if (code !== PAM_SUCCESS) {
      converse.release();
      delay.release();
      throw new PamError({ call: 'pam_start', code, text: strerror(code) });
    }
    const transaction = new PamTransaction(handle.readBigUInt64LE(), request.conversation, [converse, delay]);
    // Without the item libpam itself sleeps: two seconds for pam_unix.
    if (!request.failDelay) pam_set_item(transaction.#handle, ITEM.failDelay, delay.address);
    return transaction;
  }

  setItem(item: 'tty' | 'ruser' | 'rhost', value: Bytes): void {
    this.#check('pam_set_item', pam_set_item(this.#handle, ITEM[item], cString(value)));
  }

  authenticate(): void {
    this.#check('pam_authenticate', pam_authenticate(this.#handle, 0));
  }

  accountManagement(): void {
    this.#check('pam_acct_mgmt', pam_acct_mgmt(this.#handle, 0));
  }

  changeExpiredPassword(): void {
    this.#conversation.askPersonOnly();
    this.#check('pam_chauthtok', pam_chauthtok(this.#handle, PAM_CHANGE_EXPIRED_AUTHTOK));
  }

  user(): Bytes {
    const value = offHeap(8);
    this.#check('pam_get_item', pam_get_item(this.#handle, ITEM.user, value));
    const address = value.readBigUInt64LE();
    return address === 0n ? ('' as Bytes) : readCString(address);
  }

  establishCredentials(): void {
    this.#check('pam_setcred', pam_setcred(this.#handle, CREDENTIALS.establish));
  }

  deleteCredentials(): void {
    this.#check('pam_setcred', pam_setcred(this.#handle, CREDENTIALS.delete | PAM_SILENT));
  }

  openSession(): void {
    this.#check('pam_open_session', pam_open_session(this.#handle, 0));
  }

  closeSession(): void {
    this.#check('pam_close_session', pam_close_session(this.#handle, 0));
  }

  environment(): Bytes[] {
    return getenvlist(this.#handle);
  }

  end({ status, keepSession }: TransactionEnd): void {
    const code = pam_end(this.#handle, keepSession ? status | PAM_DATA_SILENT : status);
    for (const callback of this.#callbacks) callback.release();
    this.#check('pam_end', code);
  }

  #check(call: PamCall, code: number): void {
    const { refusal, error } = this.#conversation.endCall();
    if (error !== undefined) throw error;
    if (code !== PAM_SUCCESS) throw new PamError({ call, code, text: strerror(code), refusal });
  }
}
