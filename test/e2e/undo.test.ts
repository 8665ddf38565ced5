// What is undone when a step fails: exact calls as libpam's modules see them, exact exit status, no child left.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processesOf } from '../support/processes';
import { RecordedProfile, scratch } from '../support/profile';
import { open, startOpen } from '../support/tool';

const DEBUG = 'pam_debug.so';
const OPENED = ['auth', 'acct', 'cred', 'open'];
const CLOSED = [...OPENED, 'close', 'delete'];

describe('with libpam failing at', () => {
  test.each([
    {
      step: 'authenticate',
      rules: [`auth required ${DEBUG} auth=auth_err`],
      calls: ['auth', 'end status=7'],
      message: 'alice: denied by PAM profile',
      code: 'pam_authenticate: PAM_AUTH_ERR',
    },
    {
      step: 'acct_mgmt',
      rules: [`account required ${DEBUG} acct=acct_expired`],
      calls: ['auth', 'acct', 'end status=13'],
      message: 'alice: account refused by PAM profile',
      code: 'pam_acct_mgmt: PAM_ACCT_EXPIRED',
    },
    {
      step: 'setcred',
      rules: [`auth required ${DEBUG} auth=success cred=cred_unavail`],
      calls: ['auth', 'acct', 'cred', 'end status=15'],
      message: 'alice: no credentials from PAM profile',
      code: 'pam_setcred: PAM_CRED_UNAVAIL',
    },
    {
      step: 'open_session',
      rules: [`session required ${DEBUG} open_session=session_err`],
      calls: [...CLOSED, 'end status=14'],
      message: 'alice: session refused by PAM profile',
      code: 'pam_open_session: PAM_SESSION_ERR',
    },
  ])('$step, later steps are not taken and earlier ones undone', ({ rules, calls, message, code }) => {
    const profile = new RecordedProfile([], ...rules);
    const outcome = open('-p', profile.name, 'alice', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain(`${message} "${profile.name}"`);
    expect(outcome.stderr).toContain(code);
    expect(profile.calls()).toEqual(calls);
  });

  test.each([
    {
      step: 'close_session',
      rules: [`session required ${DEBUG} close_session=session_err`],
      code: 'pam_close_session: PAM_SESSION_ERR',
    },
    {
      step: 'setcred(delete)',
      rules: [`auth required ${DEBUG} auth=success`],
      codes: ['delete=17'],
      code: 'pam_setcred: PAM_CRED_ERR',
    },
  ])("$step, the rest is closed and the command's status stays", ({ rules, codes, code }) => {
    const profile = new RecordedProfile(codes, ...rules);
    const outcome = open('-p', profile.name, '--on-exit', 'close', 'alice', '--', 'sh', '-c', 'exit 3');
    expect(outcome.status).toBe(3);
    expect(outcome.stderr).toMatch(/^rsession-pam: warning: alice: closing the session of PAM profile/m);
    expect(outcome.stderr).toContain(code);
    expect(profile.calls()).toEqual([...CLOSED, 'end status=0']);
  });
});

describe('with a command that cannot be started', () => {
  const noInterpreter = join(scratch(), 'no-interpreter');
  writeFileSync(noInterpreter, '#!/nope\n', { mode: 0o755 });

  const cases = [
    { why: 'ENOENT', command: ['nosuch'], status: 127, message: 'nosuch: command not found' },
    { why: 'EACCES', command: ['/etc/passwd'], status: 126, message: 'Permission denied' },
    { why: 'no interpreter', command: [noInterpreter], status: 127, message: 'interpreter does not exist' },
    { why: 'chdir', options: ['-C', '/nope'], command: ['true'], status: 125, message: 'cannot enter' },
  ];
  const modes = [[], ['--on-exit', 'close'], ['--exec']];

  test.each(modes.flatMap((mode) => cases.map((one) => ({ mode, options: [], ...one }))))(
    'for $why ($mode), the session is closed and the status is $status',
    ({ mode, options, command, status, message }) => {
      const profile = new RecordedProfile();
      const outcome = open('-p', profile.name, ...mode, ...options, 'alice', '--', ...command);
      expect(outcome).toMatchObject({ status, stdout: '' });
      expect(outcome.stderr).toContain(message);
      expect(profile.calls()).toEqual([...CLOSED, 'end status=26']);
    },
  );

  test.each(modes)(
    'for EAGAIN of the limit nproc (%j), the session is closed and the status is 126',
    async (...mode) => {
      const limits = join(scratch(), 'limits.conf');
      writeFileSync(limits, 'bob hard nproc 2\n');
      const profile = new RecordedProfile([], `session required pam_limits.so conf=${limits}`);
      const others = [
        startOpen('bob', '--', 'sh', '-c', 'echo up; cat'),
        startOpen('bob', '--', 'sh', '-c', 'echo up; cat'),
      ];
      await Promise.all(others.map((other) => other.seen('up')));
      const outcome = open('-p', profile.name, ...mode, 'bob', '--', 'true');
      for (const other of others) other.process.stdin?.end();
      await Promise.all(others.map((other) => other.ended));
      expect(outcome).toMatchObject({ status: 126, stdout: '' });
      expect(outcome.stderr).toMatch(/Resource temporarily unavailable\nhint: .*nproc/);
      expect(profile.calls()).toEqual([...CLOSED, 'end status=26']);
    },
  );

  test.each(modes)('for E2BIG (%j), the session is closed and the status is 126', (...mode) => {
    const limits = join(scratch(), 'limits.conf');
    writeFileSync(limits, 'alice soft stack 256\n');
    const profile = new RecordedProfile([], `session required pam_limits.so conf=${limits}`);
    const words = Array.from({ length: 3 }, () => 'x'.repeat(60_000));
    const outcome = open('-p', profile.name, ...mode, 'alice', '--', 'true', ...words);
    expect(outcome).toMatchObject({ status: 126, stdout: '' });
    expect(outcome.stderr).toMatch(/Argument list too long\nhint: .*stack/);
    expect(profile.calls()).toEqual([...CLOSED, 'end status=26']);
  });
});

test('nothing of the users is left running', () => {
  expect(processesOf(2002)).toEqual([]);
});

describe('when everything works', () => {
  test.each([
    ['keep', [...OPENED, 'end status=0 silent']],
    ['close', [...CLOSED, 'end status=0']],
  ])('%s makes exactly these calls', (policy, calls) => {
    const profile = new RecordedProfile();
    expect(open('-p', profile.name, '--on-exit', policy, 'alice', '--', 'true').status).toBe(0);
    expect(profile.calls()).toEqual(calls);
  });

  test('--exec opens and leaves the rest to nobody', () => {
    const profile = new RecordedProfile();
    expect(open('-p', profile.name, '--exec', 'alice', '--', 'true').status).toBe(0);
    expect(profile.calls()).toEqual(OPENED);
  });
});
