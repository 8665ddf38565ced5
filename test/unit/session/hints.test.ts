import { type PamCall, PamError } from '../../../src/pam/error';
import { hintFor } from '../../../src/session/hints';

function hint(
  call: PamCall,
  code: number,
  profileText: string,
  more: {
    prompt?: string;
    reason?: 'again' | 'nobody';
    privilege?: 'root' | 'same-user';
    withPassword?: boolean;
  } = {},
): string | undefined {
  return hintFor({
    error: new PamError({
      call,
      code,
      text: '',
      refusal:
        more.prompt === undefined ? undefined : { prompt: more.prompt, reason: more.reason ?? 'nobody' },
    }),
    user: 'alice',
    profileText,
    privilege: more.privilege ?? 'root',
    withPassword: more.withPassword ?? false,
    mayRaiseLimits: false,
  });
}

const ROOTOK = 'auth sufficient pam_rootok.so\n';

const SSS = 'account required pam_sss.so\n';

test.each([
  ['a profile without rootok', hint('pam_authenticate', 7, 'auth required pam_unix.so'), 'pam_rootok.so'],
  ['rootok in a comment', hint('pam_authenticate', 7, '# auth sufficient pam_rootok.so'), 'pam_rootok.so'],
  ['a refused prompt', hint('pam_authenticate', 19, ROOTOK, { prompt: 'Password: ' }), 'pam_rootok.so'],
  ['the user itself', hint('pam_authenticate', 7, ROOTOK, { privilege: 'same-user' }), 'only root'],
  ['a missing module', hint('pam_open_session', 28, 'session required pam_no.so'), 'not installed'],
  ['a profile with CRLF', hint('pam_authenticate', 28, 'auth required pam_rootok.so\r\n'), 'CRLF'],
  ['a forced password change', hint('pam_acct_mgmt', 12, ''), 'passwd alice'],
  ['an expired account', hint('pam_acct_mgmt', 13, ''), 'chage -l alice'],
  ['an account that common-account denies', hint('pam_acct_mgmt', 7, ''), 'chage -l alice'],
  [
    'a question for a new password',
    hint('pam_authenticate', 9, '', { prompt: 'Enter new password: ', withPassword: true }),
    'has expired',
  ],
  ['an access rule of sssd', hint('pam_acct_mgmt', 6, SSS), 'access_provider in sssd.conf) refuse alice'],
  ['an access rule of sssd, for root,', hint('pam_acct_mgmt', 6, SSS), 'account sufficient pam_rootok'],
  [
    'an account that has expired in the directory',
    hint('pam_acct_mgmt', 13, SSS),
    'in the directory of sssd',
  ],
  ['a local user whom only sssd is asked about', hint('pam_acct_mgmt', 10, SSS), 'pam_localuser.so'],
  ['sssd that is gone', hint('pam_acct_mgmt', 9, SSS), 'sssd does not answer'],
  [
    "sssd's server that is gone",
    hint('pam_authenticate', 9, SSS, { withPassword: true }),
    'cannot reach its server',
  ],
  [
    'a KDC that is gone',
    hint('pam_authenticate', 9, 'auth required pam_krb5.so', { withPassword: true }),
    'no KDC',
  ],
  [
    'a container with loginuid',
    hint('pam_open_session', 14, 'session required pam_loginuid.so'),
    'pam_loginuid',
  ],
  [
    'limits without the capability',
    hint('pam_open_session', 6, 'session required pam_limits.so'),
    'CAP_SYS_RESOURCE',
  ],
  ['modules that all ignore', hint('pam_open_session', 6, 'session optional pam_krb5.so'), 'pam_permit.so'],
  ['a profile that libpam cannot use', hint('pam_start', 26, ''), '@include'],
])('%s is explained', (_case, text, expected) => {
  expect(text).toContain(expected);
});

test('where we know nothing we say nothing', () => {
  expect(hint('pam_authenticate', 7, ROOTOK)).toBeUndefined();
  expect(hint('pam_setcred', 17, ROOTOK)).toBeUndefined();
});
