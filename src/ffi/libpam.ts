// libpam's functions with their prototypes (pam(3)), and the marshalling of its conversation; no decisions.
import type { Bytes } from '../bytes';
import { type Address, foreign, koffi, type Pointer } from './koffi';
import { calloc, free, memcpy } from './libc';
import { readCString, readPointer } from './memory';

const PAM = 'libpam.so.0';

export const pam_start = foreign<[Pointer, Pointer, Pointer, Pointer], number>(
  PAM,
  'int pam_start(const void *service, const void *user, const void *conv, void *pamh)',
);
export const pam_end = foreign<[Address, number], number>(PAM, 'int pam_end(void *pamh, int status)');
export const pam_set_item = foreign<[Address, number, Pointer], number>(
  PAM,
  'int pam_set_item(void *pamh, int item, const void *value)',
);
export const pam_get_item = foreign<[Address, number, Pointer], number>(
  PAM,
  'int pam_get_item(const void *pamh, int item, void *value)',
);
export const pam_authenticate = foreign<[Address, number], number>(
  PAM,
  'int pam_authenticate(void *pamh, int flags)',
);
export const pam_acct_mgmt = foreign<[Address, number], number>(
  PAM,
  'int pam_acct_mgmt(void *pamh, int flags)',
);
export const pam_chauthtok = foreign<[Address, number], number>(
  PAM,
  'int pam_chauthtok(void *pamh, int flags)',
);
export const pam_setcred = foreign<[Address, number], number>(PAM, 'int pam_setcred(void *pamh, int flags)');
export const pam_open_session = foreign<[Address, number], number>(
  PAM,
  'int pam_open_session(void *pamh, int flags)',
);
export const pam_close_session = foreign<[Address, number], number>(
  PAM,
  'int pam_close_session(void *pamh, int flags)',
);
const pam_strerror = foreign<[null, number], Address>(PAM, 'void *pam_strerror(void *pamh, int code)');
const pam_getenvlist = foreign<[Address], Address | null>(PAM, 'void *pam_getenvlist(void *pamh)');

/** libpam's own text for a return code, e.g. `Authentication failure`. */
export function strerror(code: number): string {
  return readCString(pam_strerror(null, code));
}

/** The PAM environment as `NAME=value` entries. libpam hands the list over; it is freed here. */
export function getenvlist(handle: Address): Bytes[] {
  const list = pam_getenvlist(handle);
  if (list === null || list === 0n) return [];
  const entries: Bytes[] = [];
  for (let slot = list; ; slot += 8n) {
    const entry = readPointer(slot);
    if (entry === 0n) break;
    entries.push(readCString(entry));
    free(entry);
  }
  free(list);
  return entries;
}

/** One `struct pam_message`. */
export interface RawMessage {
  readonly style: number;
  readonly text: Bytes;
}

/** A reply that lies in memory of C: its bytes never become a JavaScript value. */
export interface RawReply {
  readonly address: Address;
  readonly length: number;
  /** Called when the reply has been copied for libpam. */
  release?(): void;
}

/**
 * Takes the messages of one call. An array answers each with a reply or with none, a number is the PAM code
 * that refuses them all. It must not throw: an exception would unwind libpam's own stack frames.
 */
export type RawConversation = (messages: readonly RawMessage[]) => readonly (RawReply | undefined)[] | number;

const PAM_SUCCESS = 0;
const PAM_BUF_ERR = 5;
const SIZEOF_RESPONSE = 16;

/** A callback that C holds; `release` frees its slot when C no longer can call it. */
export interface Callback {
  readonly address: Address;
  release(): void;
}

/**
 * A C function pointer for `pam_conv.conv`. The reply array and the replies come from calloc(3) because
 * libpam and the modules free them with free(3) (pam_conv(3)).
 */
export function conversationCallback(converse: RawConversation): Callback {
  const prototype = koffi().proto('int (int count, void *messages, void *responses, void *data)');
  return register(prototype, (count: number, messages: Address, responses: Address): number => {
    const replies = converse(readMessages(messages, count));
    if (typeof replies === 'number') return replies;
    const array = calloc(count, SIZEOF_RESPONSE);
    if (array === 0n) return PAM_BUF_ERR;
    replies.forEach((reply, index) => {
      if (reply === undefined) return;
      const copy = calloc(1, reply.length + 1);
      if (copy !== 0n) memcpy(copy, reply.address, reply.length);
      reply.release?.();
      koffi().encode(array + BigInt(index * SIZEOF_RESPONSE), 'uint64_t', copy);
    });
    koffi().encode(responses, 'uint64_t', array);
    return PAM_SUCCESS;
  });
}

function readMessages(messages: Address, count: number): RawMessage[] {
  return Array.from({ length: count }, (_, index) => {
    const message = readPointer(messages + BigInt(index * 8));
    const text = readPointer(message + 8n);
    return { style: koffi().decode.int(message), text: text === 0n ? ('' as Bytes) : readCString(text) };
  });
}

/** A C function pointer for PAM_FAIL_DELAY (pam_fail_delay(3)) that waits for nothing. */
export function noFailDelayCallback(): Callback {
  const prototype = koffi().proto('void (int status, unsigned int microseconds, void *data)');
  return register(prototype, () => undefined);
}

function register(
  prototype: ReturnType<ReturnType<typeof koffi>['proto']>,
  callback: (...args: never[]) => unknown,
): Callback {
  const address = koffi().register(callback, koffi().pointer(prototype));
  return { address, release: () => koffi().unregister(address) };
}
