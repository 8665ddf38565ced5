// The numbers of Linux-PAM's headers (security/_pam_types.h) by name.

/** Return codes in numeric order: the index is the code. */
const RETURN_CODES = [
  'PAM_SUCCESS',
  'PAM_OPEN_ERR',
  'PAM_SYMBOL_ERR',
  'PAM_SERVICE_ERR',
  'PAM_SYSTEM_ERR',
  'PAM_BUF_ERR',
  'PAM_PERM_DENIED',
  'PAM_AUTH_ERR',
  'PAM_CRED_INSUFFICIENT',
  'PAM_AUTHINFO_UNAVAIL',
  'PAM_USER_UNKNOWN',
  'PAM_MAXTRIES',
  'PAM_NEW_AUTHTOK_REQD',
  'PAM_ACCT_EXPIRED',
  'PAM_SESSION_ERR',
  'PAM_CRED_UNAVAIL',
  'PAM_CRED_EXPIRED',
  'PAM_CRED_ERR',
  'PAM_NO_MODULE_DATA',
  'PAM_CONV_ERR',
  'PAM_AUTHTOK_ERR',
  'PAM_AUTHTOK_RECOVERY_ERR',
  'PAM_AUTHTOK_LOCK_BUSY',
  'PAM_AUTHTOK_DISABLE_AGING',
  'PAM_TRY_AGAIN',
  'PAM_IGNORE',
  'PAM_ABORT',
  'PAM_AUTHTOK_EXPIRED',
  'PAM_MODULE_UNKNOWN',
  'PAM_BAD_ITEM',
  'PAM_CONV_AGAIN',
  'PAM_INCOMPLETE',
] as const;

export type PamCode = (typeof RETURN_CODES)[number] | `PAM_${number}`;

/** The name of a return code; a number that no header knows stays a number. */
export function codeName(code: number): PamCode {
  return RETURN_CODES[code] ?? `PAM_${code}`;
}

export const PAM_SUCCESS = 0;
export const PAM_NEW_AUTHTOK_REQD = 12;
export const PAM_ABORT = 26;
export const PAM_CONV_ERR = 19;

export const ITEM = { user: 2, tty: 3, rhost: 4, ruser: 8, failDelay: 10 } as const;

export const STYLE = { promptEchoOff: 1, promptEchoOn: 2, errorMessage: 3, textInfo: 4 } as const;

export const CREDENTIALS = { establish: 0x2, delete: 0x4 } as const;

/** Only an expired password is changed (pam_chauthtok(3)). */
export const PAM_CHANGE_EXPIRED_AUTHTOK = 0x20;

/** PAM_SILENT: modules print nothing. */
export const PAM_SILENT = 0x8000;

/** PAM_DATA_SILENT: modules free their memory and leave the outside world as it is (pam_end(3)). */
export const PAM_DATA_SILENT = 0x40000000;
