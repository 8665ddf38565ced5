// Is this the user's password, and may the user come in: an answer by exit status, and nothing else told.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { passwordUser, Questions } from '../support/ask';
import { RecordedProfile, scratch, writeProfile } from '../support/profile';
import { type Outcome, run, start, TOOL } from '../support/tool';
import { endWatched, soon, watch } from '../support/wait';

const user = passwordUser();
/** Without pam_unix's two seconds after a failure. */
const quick = writeProfile('auth required pam_unix.so nodelay', 'account required pam_unix.so');
const delayed = writeProfile(
  'auth required pam_unix.so',
  'account required pam_unix.so',
  'session required pam_permit.so',
);

afterEach(endWatched);

function authenticate(name: string, password: string, ...more: string[]): Outcome {
  const profile = more.includes('-p') || more.includes('-c') ? [] : ['-p', quick];
  return run(TOOL, ['authenticate', '--password-stdin', ...profile, ...more, name], {
    input: `${password}\n`,
  });
}

interface TimedOutcome extends Outcome {
  readonly milliseconds: number;
}

/** Runs `rsession-pam` without waiting for it, and tells how long it took. */
async function timed(password: string, ...words: string[]): Promise<TimedOutcome> {
  const begin = performance.now();
  const running = watch(start(TOOL, words));
  running.process.stdin?.end(`${password}\n`);
  const outcome = await soon('it ends', running.ended);
  return { ...outcome, milliseconds: performance.now() - begin };
}

function expectRefusal({ status, stdout, stderr }: Outcome, message: string | RegExp): void {
  expect(stderr).toMatch(message);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
}

describe('authenticate', () => {
  test('says nothing and ends with 0 for the right password', () => {
    expect(authenticate(user.name, user.password)).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('ends with 1 and one line for a wrong one', () => {
    const outcome = authenticate(user.name, `${user.password}x`);
    expectRefusal(outcome, /^rsession-pam: [^\n]+: denied by PAM profile "[^"]+": Authentication failure\n$/);
    expect(outcome.stderr).not.toContain(user.password);
  });

  test('asks for authentication and account, and opens nothing', () => {
    const profile = new RecordedProfile();
    expect(authenticate(user.name, 'x', '-p', profile.name)).toMatchObject({ status: 0 });
    expect(profile.calls()).toEqual(['auth', 'acct', 'end status=0']);
  });

  test('tells a module’s refusal of the account, which a right password has earned', () => {
    const profile = new RecordedProfile(['acct=6']);
    expectRefusal(
      authenticate(user.name, 'x', '-p', profile.name),
      /account refused by .* \(pam_acct_mgmt: PAM_PERM_DENIED\)/,
    );
    expect(profile.calls()).toEqual(['auth', 'acct', 'end status=6']);
  });

  test.each([
    { state: 'an expired account', aging: '20000:0:99999:7::1:', message: /PAM_ACCT_EXPIRED[\s\S]*chage -l/ },
    {
      state: 'a password to be changed',
      aging: '0:0:99999:7:::',
      message: /PAM_NEW_AUTHTOK_REQD[\s\S]*passwd /,
    },
    {
      state: 'a password that expired long ago',
      aging: '10000:0:30:7:10::',
      message: /PAM_(AUTHTOK|ACCT)_EXPIRED/,
    },
  ])('refuses $state after the right password only', ({ aging, message }) => {
    const expired = passwordUser({ aging });
    expectRefusal(authenticate(expired.name, expired.password), message);
    const wrong = authenticate(expired.name, 'wrong');
    expectRefusal(wrong, /: Authentication failure\n$/);
    expect(wrong.stderr).not.toMatch(/EXPIRED|NEW_AUTHTOK|expired/);
  });

  test('refuses a locked user as it refuses a wrong password', () => {
    const locked = passwordUser({ locked: true });
    const outcome = authenticate(locked.name, locked.password);
    expectRefusal(outcome, /: Authentication failure\n$/);
  });

  test('refuses a user whom pam_faillock has locked, also with the right password, until reset', () => {
    const own = passwordUser();
    const directory = scratch();
    const faillock = `dir=${directory} nodelay deny=2 unlock_time=600`;
    const profile = writeProfile(
      `auth required pam_faillock.so preauth ${faillock}`,
      'auth [success=1 default=ignore] pam_unix.so nodelay',
      `auth [default=die] pam_faillock.so authfail ${faillock}`,
      'auth required pam_permit.so',
      `account required pam_faillock.so ${faillock}`,
      'account required pam_unix.so',
    );
    expect(authenticate(own.name, own.password, '-p', profile).status).toBe(0);
    expectRefusal(authenticate(own.name, 'wrong', '-p', profile), 'Authentication failure');
    expectRefusal(authenticate(own.name, 'wrong', '-p', profile), 'Authentication failure');
    expectRefusal(authenticate(own.name, own.password, '-p', profile), 'Authentication failure');
    rmSync(join(directory, own.name));
    expect(authenticate(own.name, own.password, '-p', profile).status).toBe(0);
  });

  test('gives a password that a module asks for three times once', () => {
    const questions = new Questions();
    const rule = questions.rule('auth', { text: 'Password: ', expect: 'another', times: 3 });
    const profile = writeProfile(rule, 'account required pam_permit.so');
    const outcome = authenticate(user.name, 'wrong', '-p', profile);
    expectRefusal(outcome, 'Authentication failure');
    expect(questions.answers()).toEqual(['auth: wrong', 'auth: none 19']);
  });

  test('names the question that nobody can answer', () => {
    const questions = new Questions();
    const profile = writeProfile(
      'auth required pam_unix.so nodelay',
      questions.rule('auth', { text: 'Verification code: ' }),
      'account required pam_unix.so',
    );
    expectRefusal(
      authenticate(user.name, user.password, '-p', profile),
      /after the question "Verification code:".*PAM_CONV_ERR[\s\S]*no terminal to ask at/,
    );
  });
});

describe('a user who does not exist', () => {
  const unknown = 'nobody-here';

  test('is told in the words of a wrong password, whatever the profile', () => {
    const sets = [
      [quick],
      [writeProfile('auth required pam_unix.so nodelay try_first_pass', 'account required pam_unix.so')],
      [writeProfile('auth requisite pam_debug.so auth=user_unknown', 'account required pam_permit.so')],
    ];
    for (const [profile = ''] of sets) {
      const [known, other] = [user.name, unknown].map((name) => authenticate(name, 'wrong', '-p', profile));
      expect(other?.status).toBe(1);
      expect(other?.stderr.replaceAll(unknown, '<user>')).toBe(known?.stderr.replaceAll(user.name, '<user>'));
    }
  });

  test('takes as long as a wrong password: both wait for the delay that pam_unix asks for, and open does not', async () => {
    const words = (name: string): string[] => ['authenticate', '--password-stdin', '-p', delayed, name];
    const [wrong, nobody, right, opened] = await Promise.all([
      timed('wrong', ...words(user.name)),
      timed('wrong', ...words(unknown)),
      timed(user.password, ...words(user.name)),
      timed('wrong', 'open', '--password-stdin', '-p', delayed, user.name, '--', 'true'),
    ]);
    expect([wrong.status, nobody.status, right.status, opened.status]).toEqual([1, 1, 0, 125]);
    // libpam varies two seconds by a quarter up and down.
    const delay = 1400;
    expect(wrong.milliseconds).toBeGreaterThan(delay);
    expect(nobody.milliseconds).toBeGreaterThan(delay);
    expect(right.milliseconds).toBeLessThan(delay);
    expect(opened.milliseconds).toBeLessThan(delay);
    const ratio = wrong.milliseconds / nobody.milliseconds;
    expect(ratio).toBeGreaterThan(1 / 3);
    expect(ratio).toBeLessThan(3);
  });
});

describe('the profile', () => {
  const RSTUDIO = '/etc/pam.d/rstudio';
  const verdict = (): number =>
    run(TOOL, ['authenticate', '--password-stdin', user.name], { input: `${user.password}\n` }).status;
  afterEach(() => rmSync(RSTUDIO, { force: true }));

  test('is rstudio where it exists, and else other', () => {
    const profile = new RecordedProfile(['auth=7']);
    writeFileSync(RSTUDIO, `@include ${profile.name}\n`);
    expect(verdict()).toBe(1);
    expect(profile.calls()).toEqual(['auth', 'end status=7']);
    rmSync(RSTUDIO);
    expect(verdict()).toBe(0);
  });

  test('is the one of --profile, which must exist', () => {
    const outcome = authenticate(user.name, user.password, '-p', 'nope');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain('PAM profile "nope" (--profile) does not exist');
  });

  test('is told to modules with terminal, caller and host as for open', () => {
    const script = join(scratch(), 'items');
    const seen = join(scratch(), 'seen');
    writeFileSync(
      script,
      `#!/bin/sh\necho "$PAM_USER $PAM_RUSER $PAM_RHOST $PAM_TTY $PAM_SERVICE" >${seen}\n`,
      { mode: 0o755 },
    );
    const profile = writeProfile(
      `auth required pam_exec.so quiet ${script}`,
      'account required pam_permit.so',
    );
    const items = ['--rhost', 'far.example', '--ruser', 'caller', '--tty', 'web'];
    expect(authenticate(user.name, 'x', '-p', profile, ...items).stderr).toBe('');
    expect(run('cat', [seen]).stdout).toBe(`${user.name} caller far.example web ${profile}\n`);
  });
});

describe('who is not root', () => {
  const as = (password: string, name: string, input: string): Outcome =>
    run(
      'setpriv',
      [
        ...['--reuid', String(user.uid), '--regid', String(user.uid), '--clear-groups'],
        ...[TOOL, 'authenticate', '--password-stdin', '-p', password, name],
      ],
      { input: `${input}\n` },
    );

  test('can check its own password', () => {
    expect(as(quick, user.name, user.password)).toEqual({ status: 0, stdout: '', stderr: '' });
    expectRefusal(as(quick, user.name, 'wrong'), 'Authentication failure');
  });

  test("cannot check another's: right and wrong get the same answer", () => {
    const other = passwordUser();
    const right = as(quick, other.name, other.password);
    expectRefusal(right, /pam_authenticate: PAM_AUTHINFO_UNAVAIL|Authentication failure/);
    expect(as(quick, other.name, 'wrong')).toEqual(right);
  });
});

describe('the command line', () => {
  const WAYS = ['--password', '--password-stdin', '--password-fd', '--password-credential'];

  test('without a way and a terminal is refused with the list of ways', () => {
    const outcome = run(TOOL, ['authenticate', '-p', quick, user.name]);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toMatch(/a password is needed, and there is no terminal to ask for it\nhint: /);
    for (const way of WAYS) expect(outcome.stderr).toMatch(new RegExp(`${way}[ ,]`));
  });

  test.each([
    [[], "missing required argument 'user'"],
    [[''], 'the user name is empty'],
    [[user.name, '--', 'true'], 'authenticate runs no command'],
    [[user.name, 'more'], 'too many arguments'],
    [['--exec', user.name], "unknown option '--exec'"],
  ])('%j is a usage error', (words, message) => {
    const outcome = run(TOOL, ['authenticate', '--password-stdin', ...words]);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain(message);
  });

  test.each([
    ['an empty password', '\n', 'is empty'],
    ['no password', '', 'is missing'],
    ['too long a password', `${'x'.repeat(513)}\n`, 'is longer than 512 bytes'],
  ])('%s is no wrong password: the status is 125', (_case, input, message) => {
    const outcome = run(TOOL, ['authenticate', '--password-stdin', '-p', quick, user.name], { input });
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain(message);
  });

  test('a profile that libpam cannot use is no wrong password either', () => {
    const broken = writeProfile('@include does-not-exist');
    const outcome = authenticate(user.name, user.password, '-p', broken);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
  });

  test('--verbose tells the steps', () => {
    const { stderr } = authenticate(user.name, user.password, '-v');
    const steps = ['password', 'pam_start', 'pam_authenticate', 'pam_acct_mgmt', 'pam_end'];
    expect(stderr).toBe(steps.map((name) => `rsession-pam: ${name}: ok\n`).join(''));
  });
});
