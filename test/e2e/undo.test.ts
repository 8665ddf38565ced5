// What is undone when a step fails: exact calls as libpam's modules see them, exact exit status.
import { RecordedProfile } from '../support/profile';
import { open } from '../support/tool';

const DEBUG = 'pam_debug.so';

describe('with libpam failing at', () => {
  test.each([
    {
      step: 'authenticate',
      rules: [`auth required ${DEBUG} auth=auth_err`],
      calls: ['auth', 'end status=7'],
      message: 'pam_authenticate: PAM_AUTH_ERR',
    },
    {
      step: 'acct_mgmt',
      rules: [`account required ${DEBUG} acct=acct_expired`],
      calls: ['auth', 'acct', 'end status=13'],
      message: 'pam_acct_mgmt: PAM_ACCT_EXPIRED',
    },
    {
      step: 'setcred',
      rules: [`auth required ${DEBUG} auth=success cred=cred_unavail`],
      calls: ['auth', 'acct', 'cred', 'end status=15'],
      message: 'pam_setcred: PAM_CRED_UNAVAIL',
    },
    {
      step: 'open_session',
      rules: [`session required ${DEBUG} open_session=session_err`],
      calls: ['auth', 'acct', 'cred', 'open', 'close', 'delete', 'end status=14'],
      message: 'pam_open_session: PAM_SESSION_ERR',
    },
  ])('$step, later steps are not taken and earlier ones undone', ({ rules, calls, message }) => {
    const profile = new RecordedProfile([], ...rules);
    const outcome = open('-p', profile.name, 'alice', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain(message);
    expect(profile.calls()).toEqual(calls);
  });
});
