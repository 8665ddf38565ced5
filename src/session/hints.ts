// From what libpam said to what an administrator can do about it; pure.
import { asksForNewPassword, type Refusal } from '../pam/conversation';
import type { PamError } from '../pam/error';

/** What is known when a call fails. */
export interface FailedCall {
  readonly error: PamError;
  readonly user: string;
  /** The profile with the files it includes. */
  readonly profileText: string;
  readonly privilege: 'root' | 'same-user';
  /** Whether a password was given. */
  readonly withPassword: boolean;
  readonly mayRaiseLimits: boolean;
}

const ROOTOK = 'without a password the auth stack must begin with "auth sufficient pam_rootok.so"';

const SELF =
  'pam_rootok accepts only root: as yourself give your password, or use a profile that lets you in without one';

const REFUSAL_HINTS: Readonly<Record<Refusal['reason'], string>> = {
  again:
    'the password was given once and is wrong; or two modules ask the same, and the second needs "try_first_pass"',
  nobody:
    'there is no terminal to ask at; auth-pam-require-password-prompt=0 gives the password to any hidden question',
};

const SSSD_OUTAGE =
  'sssd does not answer, or cannot reach its server: "systemctl status sssd" and "sssctl domain-status" tell which';

const KDC_OUTAGE = 'no KDC can be reached: see "kdc" in /etc/krb5.conf, and try "kinit"';

const ACCOUNT_ROOTOK =
  '"account sufficient pam_rootok.so" as the first account rule lets root open sessions all the same (it skips the ' +
  'account rules below it)';

const NEW_PASSWORD =
  'the password has expired: change it at a terminal, here with --password, or with kpasswd or passwd';

/** The remedy we know for a failed call, or undefined. */
export function hintFor({
  error,
  user,
  profileText,
  privilege,
  withPassword,
  mayRaiseLimits,
}: FailedCall): string | undefined {
  const rules = profileText
    .split('\n')
    .map((line) => line.replace(/#.*/, ''))
    .join('\n');
  const uses = (module: string): boolean => rules.includes(module);
  if (rules.includes('\r')) {
    return 'the profile has Windows line ends (CRLF), which libpam takes for part of the module names';
  }
  if (withPassword && error.refusal !== undefined) {
    return asksForNewPassword(error.refusal.prompt) ? NEW_PASSWORD : REFUSAL_HINTS[error.refusal.reason];
  }
  if (error.name === 'PAM_MODULE_UNKNOWN') {
    return 'a module named in the profile is not installed: the system log says "unable to dlopen" and its path';
  }
  switch (error.call) {
    case 'pam_start':
      return 'libpam cannot use the profile or "other": a file that it includes with @include is missing, or a line is broken';
    case 'pam_authenticate':
      if (error.name === 'PAM_AUTHINFO_UNAVAIL') {
        if (uses('pam_sss')) return SSSD_OUTAGE;
        if (uses('pam_krb5')) return KDC_OUTAGE;
      }
      if (privilege === 'same-user') {
        return withPassword ? undefined : SELF;
      }
      if (withPassword) return undefined;
      return error.refusal?.reason === 'nobody' || !/^\s*auth\b.*pam_rootok\.so/m.test(rules)
        ? ROOTOK
        : undefined;
    case 'pam_acct_mgmt':
      if (error.name === 'PAM_NEW_AUTHTOK_REQD') {
        return (
          `the password must be changed first: at a terminal with --password, with "passwd ${user}", or for a local ` +
          `user "chage -d -1 ${user}" lifts the demand`
        );
      }
      if (uses('pam_sss')) {
        const hint = sssdHint(error.name, user);
        if (hint !== undefined) return hint;
      }
      // Debian's common-account turns an expired account into PAM_AUTH_ERR.
      return ['PAM_ACCT_EXPIRED', 'PAM_AUTH_ERR'].includes(error.name)
        ? `"chage -l ${user}" shows whether the account has expired`
        : undefined;
    case 'pam_open_session':
      if (uses('pam_loginuid') && ['PAM_SESSION_ERR', 'PAM_SYSTEM_ERR'].includes(error.name)) {
        return 'pam_loginuid fails where the login uid is set already, as in containers and under su: take its rule out';
      }
      if (uses('pam_limits') && error.name === 'PAM_PERM_DENIED' && !mayRaiseLimits) {
        return 'pam_limits cannot raise a hard limit here: this process lacks CAP_SYS_RESOURCE';
      }
      return error.name === 'PAM_PERM_DENIED'
        ? 'libpam says this too when every session module answers "ignore": add "session required pam_permit.so"'
        : undefined;
    default:
      return undefined;
  }
}

/** sssd's verdict on an account is the same whether it has checked a password or root needs none. */
function sssdHint(code: string, user: string): string | undefined {
  switch (code) {
    case 'PAM_AUTHINFO_UNAVAIL':
      return SSSD_OUTAGE;
    case 'PAM_USER_UNKNOWN':
      return 'pam_sss knows the users of sssd only: "account sufficient pam_localuser.so" in front of it lets local ones in';
    case 'PAM_PERM_DENIED':
      return `the access rules of sssd (access_provider in sssd.conf) refuse ${user}; ${ACCOUNT_ROOTOK}`;
    case 'PAM_ACCT_EXPIRED':
      return `the account has expired, in the directory of sssd or here ("chage -l ${user}"); ${ACCOUNT_ROOTOK}`;
    default:
      return undefined;
  }
}
