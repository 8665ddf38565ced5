// Ways to give a password, which passwords are taken, what is answered with it, and how it is guarded meanwhile.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PasswordUser, passwordUser, type Question, Questions } from '../support/ask';
import { limitsRule } from '../support/probe';
import { plainProfile, RecordedProfile, scratch, writeProfile } from '../support/profile';
import { type Outcome, run, start, TOOL } from '../support/tool';
import { endWatched, Gate, isAlive, soon, stateOf, until, watch } from '../support/wait';

const user = passwordUser();
const SECRET = 's3cret-value';

afterEach(endWatched);

/** A profile that takes any password, and tells what it was. */
function asking(more: Partial<Question> = {}): { profile: string; questions: Questions } {
  const questions = new Questions();
  const rule = questions.rule('auth', { text: 'Password: ', ...more });
  return { questions, profile: session(rule) };
}

function session(...rules: string[]): string {
  return writeProfile(...rules, 'account required pam_permit.so', 'session required pam_permit.so');
}

function unix(...more: string[]): string {
  return session('auth required pam_unix.so', ...more);
}

/** Runs a script of bash; the variables TOOL, P and U are the launcher, the profile and the user. */
function bash(script: string, profile: string, env: NodeJS.ProcessEnv = {}): Outcome {
  return run('bash', ['-c', script], { env: { TOOL, P: profile, U: user.name, ...env } });
}

function openWith(input: string | Buffer, profile: string, ...command: string[]): Outcome {
  const words = command.length > 0 ? command : ['echo', 'ran'];
  return run(TOOL, ['open', '--password-stdin', '-p', profile, user.name, '--', ...words], { input });
}

function file(content: string | Buffer, mode = 0o600): string {
  const path = join(scratch(), 'secret');
  writeFileSync(path, content, { mode });
  return path;
}

function settings(...lines: string[]): string {
  return file(`${lines.join('\n')}\n`, 0o644);
}

function expectRefusal({ status, stdout, stderr }: Outcome, message: string | RegExp): void {
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^rsession-pam: [^\n]+\n(hint: [^\n]+\n)?$/);
  expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
}

describe('--password-stdin', () => {
  const rest = Buffer.concat([Buffer.from('\n\0\r\n'), randomBytes(1_000_000)]);
  const sum = createHash('sha256').update(rest).digest('hex');
  const input = Buffer.concat([Buffer.from(`${user.password}\n`), rest]);
  const OPEN = '"$TOOL" open --password-stdin -p $P $U -- sha256sum';

  test.each([
    { kind: 'a file', script: `${OPEN} <$IN` },
    { kind: 'a pipe', script: `cat $IN | ${OPEN}` },
    { kind: 'a socket', script: `[ -S /proc/$$/fd/0 ] && exec ${OPEN}` },
  ])('leaves every byte behind the line to the command: $kind', ({ kind, script }) => {
    const env = { TOOL, P: unix(), U: user.name, IN: file(input) };
    const outcome = run('bash', ['-c', script], { env, input: kind === 'a socket' ? input : '' });
    expect(outcome).toEqual({ status: 0, stdout: `${sum}  -\n`, stderr: '' });
  });

  test('waits for the line on a pipe that is not to block, and leaves it so', async () => {
    const running = watch(
      start('perl', [
        '-e',
        'use Fcntl; fcntl(STDIN, F_SETFL, fcntl(STDIN, F_GETFL, 0) | O_NONBLOCK); print "up\\n"; $| = 1; exec @ARGV',
        '--',
        ...[TOOL, 'open', '--password-stdin', '-p', unix(), user.name, '--', 'echo', 'ran'],
      ]),
    );
    await until('it waits', () => waitsForPassword(running.pid) || !isAlive(running.pid));
    running.process.stdin?.end(`${user.password}\n`);
    expect(await soon('it ends', running.ended)).toMatchObject({ status: 0, stderr: '' });
  });

  test('reads no more than the line, which may come in pieces', async () => {
    const running = watch(
      start(TOOL, ['open', '--password-stdin', '-p', unix(), user.name, '--', 'head', '-n', '1']),
    );
    for (const character of `${user.password}\nfor the command\n`) {
      running.process.stdin?.write(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await soon('it ends', running.ended)).toEqual({
      status: 0,
      stdout: 'for the command\n',
      stderr: '',
    });
  });
});

describe('--password-fd', () => {
  const OPEN = '"$TOOL" open -p $P --password-fd';

  test.each([
    { way: 'a file', script: `${OPEN} 3 $U -- cat 3<$IN` },
    { way: 'a pipe', script: `${OPEN} 3 $U -- cat 3< <(cat $IN)` },
    { way: 'a here-string', script: `${OPEN} 3 $U -- cat 3<<<"$(cat $IN)"` },
    { way: 'a high number', script: `exec 200<$IN; ${OPEN} 200 $U -- cat` },
    { way: "the number of the launcher's own script", script: `exec 10<$IN; ${OPEN} 10 $U -- cat` },
    { way: 'with the option by =', script: `${OPEN}=3 $U -- cat 3<$IN` },
  ])('takes it from $way, and all of standard input is the command’s', ({ script }) => {
    const env = { TOOL, P: unix(), U: user.name, IN: file(`${user.password}\nmore\n`) };
    expect(run('bash', ['-c', script], { env, input: 'input\n' })).toEqual({
      status: 0,
      stdout: 'input\n',
      stderr: '',
    });
  });

  test('0 is standard input', () => {
    const outcome = run(TOOL, ['open', '--password-fd', '0', '-p', unix(), user.name, '--', 'cat'], {
      input: `${user.password}\nrest`,
    });
    expect(outcome).toEqual({ status: 0, stdout: 'rest', stderr: '' });
  });

  test('is not open in the command', () => {
    const script = `${OPEN} 7 $U -- sh -c 'ls /proc/$$/fd' 7<$IN`;
    const outcome = bash(script, unix(), { IN: file(`${user.password}\n`) });
    expect(outcome).toMatchObject({ status: 0, stdout: '0\n1\n2\n' });
  });

  test.each([
    { fd: 'that is closed', script: `${OPEN} 9 $U`, message: '--password-fd 9: the caller has not opened' },
    {
      fd: 'closed by the caller',
      script: `${OPEN} 0 $U <&-`,
      message: '--password-fd 0: the caller has not',
    },
    {
      fd: 'that is a directory',
      script: `${OPEN} 3 $U 3</etc`,
      message: 'descriptor 3 cannot be read: Is a dir',
    },
    {
      fd: 'only for writing',
      script: `${OPEN} 3 $U 3>/dev/null`,
      message: '3 cannot be read: Bad file desc',
    },
    {
      fd: 'at its end',
      script: `${OPEN} 3 $U 3</dev/null`,
      message: 'descriptor 3 is missing: it ended before',
    },
    {
      fd: 'that is no number',
      script: `${OPEN} x $U`,
      message: 'must be the number of an open file descriptor',
    },
    {
      fd: 'that is negative',
      script: `${OPEN}=-1 $U`,
      message: 'must be the number of an open file descriptor',
    },
    { fd: 'of another spelling', script: `${OPEN} 0x3 $U 3<$IN`, message: 'must be the number of an open' },
    {
      fd: 'that is empty',
      script: `${OPEN} '' $U`,
      message: 'must be the number of an open file descriptor',
    },
    {
      fd: 'beyond all',
      script: `${OPEN} 99999999999 $U`,
      message: 'must be the number of an open file descr',
    },
  ])('refuses one $fd', ({ script, message }) => {
    const profile = new RecordedProfile();
    expectRefusal(bash(script, profile.name, { IN: file(`${user.password}\n`) }), message);
    expect(profile.calls()).toEqual([]);
  });

  test('refuses every descriptor that only Node has opened', () => {
    const profile = new RecordedProfile();
    const script = `for fd in 3 6 10 16 19 21; do timeout 5 ${OPEN} $fd $U 2>&1; echo " $?"; done`;
    const { stdout } = bash(script, profile.name);
    expect(stdout.match(/has not opened this file descriptor\n 125\n/g)).toHaveLength(6);
    expect(profile.calls()).toEqual([]);
  });
});

describe('--password-credential', () => {
  const credentials = (content: string | Buffer): string => {
    const directory = scratch();
    writeFileSync(join(directory, 'login'), content, { mode: 0o400 });
    return directory;
  };
  const open = (directory: string | undefined, name: string, profile = unix()): Outcome =>
    run(TOOL, ['open', '-p', profile, `--password-credential=${name}`, user.name, '--', 'echo', 'ran'], {
      env: { CREDENTIALS_DIRECTORY: directory },
    });

  test.each([
    ['with a newline at its end', `${user.password}\n`],
    ['without one', user.password],
  ])('takes a file %s', (_case, content) => {
    expect(open(credentials(content), 'login')).toEqual({ status: 0, stdout: 'ran\n', stderr: '' });
  });

  test('of 512 bytes without a newline is taken whole', () => {
    const { profile, questions } = asking();
    expect(open(credentials('x'.repeat(512)), 'login', profile).status).toBe(0);
    expect(questions.answers()).toEqual([`auth: ${'x'.repeat(512)}`]);
  });

  test.each([
    ['more than one line', `${user.password}\nmore`, 'has more than one line'],
    ['an empty line behind it', `${user.password}\n\n`, 'has more than one line'],
    ['more than 512 bytes', 'x'.repeat(513), 'is longer than 512 bytes'],
    ['nothing in it', '', 'is missing'],
    ['an empty line', '\n', 'is empty'],
  ])('refuses a file with %s', (_case, content, message) => {
    expectRefusal(open(credentials(content), 'login'), `the credential "login" ${message}`);
  });

  test('refuses one that is missing, a link, a directory, or a FIFO without a writer', () => {
    const directory = credentials(user.password);
    symlinkSync('login', join(directory, 'link'));
    mkdirSync(join(directory, 'directory'));
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    expectRefusal(open(directory, 'nope'), /credential "nope".* cannot be read: (ENOENT|No such file)/);
    expectRefusal(open(directory, 'link'), /credential "link".* cannot be read: (ELOOP|Too many|.*link)/);
    expectRefusal(open(directory, 'directory'), /credential "directory".*(EISDIR|[Dd]irectory)/);
    expectRefusal(open(directory, 'fifo'), /credential "fifo"/);
  });

  test('refuses one that the user who opens a session for itself cannot read', () => {
    const directory = credentials(user.password);
    const outcome = asItself(user, [], ['open', '-p', unix(), '--password-credential', 'login', user.name], {
      CREDENTIALS_DIRECTORY: directory,
    });
    expectRefusal(outcome, /credential "login".* cannot be read: (EACCES|Permission denied)/);
  });

  test.each(['', '.', '..', 'a/b', '/etc/passwd', '../login'])('refuses the name %j', (name) => {
    expectRefusal(
      open(credentials(user.password), name),
      'a credential is a file name in $CREDENTIALS_DIRECTORY',
    );
  });

  test('refuses where no credentials were passed', () => {
    expectRefusal(open(undefined, 'login'), /CREDENTIALS_DIRECTORY is not set[\s\S]*LoadCredential/);
  });
});

describe('the way', () => {
  const WAYS = ['--password', '--password-stdin', '--password-fd', '--password-credential'];

  test('is needed where the settings ask for a password: without a terminal the error lists all', () => {
    const profile = new RecordedProfile();
    const file = settings('auth-pam-sessions-use-password=1');
    const outcome = run(TOOL, ['open', '-c', file, '-p', profile.name, user.name, '--', 'echo', 'ran']);
    expectRefusal(outcome, 'a password is needed, and there is no terminal to ask for it');
    for (const way of WAYS) expect(outcome.stderr).toMatch(new RegExp(`${way}[ ,]`));
    expect(profile.calls()).toEqual([]);
  });

  test('from the command line does for the settings', () => {
    const config = settings('auth-pam-sessions-use-password=1');
    const words = ['open', '-c', config, '-p', unix(), '--password-stdin', user.name, '--', 'echo', 'ran'];
    expect(run(TOOL, words, { input: `${user.password}\n` })).toMatchObject({ status: 0, stdout: 'ran\n' });
  });

  test('--password needs a terminal, and the error lists the others', () => {
    const outcome = run(TOOL, ['open', '--password', '-p', unix(), user.name]);
    expectRefusal(outcome, '--password: there is no terminal');
    for (const way of WAYS) expect(outcome.stderr).toContain(way);
  });

  test.each([
    ['--password', '--password-stdin'],
    ['--password-stdin', '--password-fd=0'],
    ['--password-fd=0', '--password-credential=x'],
    ['--password-credential=x', '--password'],
  ])('is one: %s and %s exclude each other', (first, second) => {
    for (const command of ['open', 'authenticate']) {
      expectRefusal(
        run(TOOL, [command, first, second, user.name]),
        /exclude each other: there is one password/,
      );
    }
  });

  test.each([
    ['open', `--password=${SECRET}`],
    ['open', `--password-stdin=${SECRET}`],
    ['authenticate', `--password=${SECRET}`],
    ['authenticate', `--password-stdin=${SECRET}`],
    ['config', `--password=${SECRET}`],
  ])('is no value: %s %s is refused with the reason and without the value', (command, option) => {
    const outcome = run(TOOL, [command, option, user.name]);
    expectRefusal(outcome, /takes no value: every user of this machine can read a command line/);
    expect(outcome.stderr).not.toContain(SECRET);
  });

  test.each([
    `--pasword=${SECRET}`,
    `--passwd=${SECRET}`,
    `--Password=${SECRET}`,
    `--password-sdtin=${SECRET}`,
    `--password =${SECRET}`,
    `-password=${SECRET}`,
    `--password-fd=${SECRET}`,
  ])('misspelt as %s does not show the value', (option) => {
    const outcome = run(TOOL, ['open', option, user.name]);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).not.toContain(SECRET);
  });

  test('--password= behind -- belongs to the command', () => {
    const outcome = run(TOOL, [
      'open',
      '-p',
      plainProfile(),
      user.name,
      '--',
      'echo',
      `--password=${SECRET}`,
    ]);
    expect(outcome).toEqual({ status: 0, stdout: `--password=${SECRET}\n`, stderr: '' });
  });
});

describe('what only shows', () => {
  const config = settings('auth-pam-sessions-use-password=1');

  test.each([
    { what: '--dry-run', words: 'open --dry-run --password-stdin -p $P $U' },
    { what: '--json', words: 'open --json --password-fd 0 -p $P $U' },
    { what: 'config', words: `config -c ${config}` },
  ])('$what reads no password', ({ words }) => {
    const env = { TOOL, P: unix(), U: user.name };
    const script = `"$TOOL" ${words} >&2; echo " $?"; cat`;
    const { stdout, stderr } = run('sh', ['-c', script], { env, input: `${SECRET}\n` });
    expect(stdout).toBe(` 0\n${SECRET}\n`);
    expect(stderr).not.toContain(SECRET);
  });

  test('--dry-run and --json tell where the password comes from', () => {
    const words = ['--password-fd', '0', '-p', unix(), user.name];
    expect(run(TOOL, ['open', '--dry-run', ...words]).stdout).toMatch(/file descriptor 0/);
    expect(JSON.parse(run(TOOL, ['open', '--json', ...words]).stdout).password).toBeDefined();
  });

  test('--verbose tells the step and not the password', () => {
    const words = ['open', '-v', '--password-stdin', '-p', unix(), user.name, '--', 'echo', 'ran'];
    const outcome = run(TOOL, words, { input: `${user.password}\n` });
    expect(outcome).toMatchObject({ status: 0, stdout: 'ran\n' });
    expect(outcome.stderr).toContain('password: ok');
    expect(outcome.stderr).not.toContain(user.password);
  });
});

describe('a password', () => {
  test.each<[string, string | Buffer, string | Buffer]>([
    ['of one byte', 'x\n', 'x'],
    ['of 511 bytes', `${'x'.repeat(510)}y\n`, `${'x'.repeat(510)}y`],
    ['of 512 bytes', `${'x'.repeat(511)}y\n`, `${'x'.repeat(511)}y`],
    ['of 512 bytes at the end of the input', `${'x'.repeat(511)}y`, `${'x'.repeat(511)}y`],
    ['in UTF-8', 'Schlüssel €𝄞\n', 'Schlüssel €𝄞'],
    ['that is no UTF-8', Buffer.from('\xe9\xff\x80\n', 'latin1'), Buffer.from('\xe9\xff\x80', 'latin1')],
    ['with quotes, $, backslashes and spaces', `'"$HOME\`id\`\\n %s &;\n`, `'"$HOME\`id\`\\n %s &;`],
    ['with blanks at both ends', ' \t x \t \n', ' \t x \t '],
    ['of blanks', '   \n', '   '],
    ['with control characters', '\x01\x03\x04\x1b[A\x7f\n', '\x01\x03\x04\x1b[A\x7f'],
    ['with a carriage return inside', 'a\rb\n', 'a\rb'],
    ['without a newline at the end of the input', 'x y', 'x y'],
    ['with more lines behind', 'first\nsecond\n', 'first'],
  ])('%s reaches the module exactly', (_case, input, expected) => {
    const { profile, questions } = asking();
    expect(openWith(input, profile)).toEqual({ status: 0, stdout: 'ran\n', stderr: '' });
    expect(questions.answers()).toEqual([`auth: ${Buffer.from(expected).toString('latin1')}`]);
  });

  test.each([
    ['of 513 bytes', `${'x'.repeat(513)}\n`, 'is longer than 512 bytes, the most that PAM takes'],
    ['of 513 bytes at the end of the input', 'x'.repeat(513), 'is longer than 512 bytes'],
    ['with a NUL byte', 'a\0b\n', 'contains a NUL byte'],
    ['with a NUL byte at its end', 'ab\0\n', 'contains a NUL byte'],
    ['from a file of Windows', 'secret\r\n', 'ends with a carriage return'],
    ['that is empty', '\nnext\n', 'is empty'],
    ['that is missing', '', 'is missing: it ended before a line'],
  ])('%s is refused with the reason, before PAM is asked', (_case, input, message) => {
    const profile = new RecordedProfile();
    const outcome = openWith(input, profile.name);
    expectRefusal(outcome, `the password from standard input ${message}`);
    expect(outcome.stderr).not.toMatch(/secret|xxx/);
    expect(profile.calls()).toEqual([]);
  });

  test.each([
    ['of one byte', 'x'],
    ['of 511 bytes', 'x'.repeat(511)],
    ['with everything', ` '"$\\ é€ `],
  ])('%s is the one that pam_unix knows', (_case, password) => {
    const own = passwordUser({ password });
    const words = ['open', '--password-stdin', '-p', unix(), own.name, '--', 'echo', 'ran'];
    expect(run(TOOL, words, { input: `${password}\n` })).toMatchObject({ status: 0, stdout: 'ran\n' });
    expect(run(TOOL, words, { input: `${password}x\n` })).toMatchObject({ status: 125, stdout: '' });
  });
});

describe('a question of a module', () => {
  const policy = (value: 0 | 1): string => settings(`auth-pam-require-password-prompt=${value}`);
  const openUnder = (config: string, profile: string): Outcome & { milliseconds: number } => {
    const begin = performance.now();
    const words = ['open', '-c', config, '--password-stdin', '-p', profile, user.name, '--', 'echo', 'ran'];
    const outcome = run(TOOL, words, { input: `${user.password}\n` });
    return { ...outcome, milliseconds: performance.now() - begin };
  };
  const given = Buffer.from(user.password).toString('latin1');

  test.each([
    'Password: ',
    'password:',
    `Password for ${user.name}@EXAMPLE.ORG: `,
    '(LDAP) Password',
    'Password for new@CODE.ORG: ',
  ])('that reads %j is answered with the password under auth-pam-require-password-prompt=1', (text) => {
    const { profile, questions } = asking({ text });
    expect(openUnder(policy(1), profile)).toMatchObject({ status: 0, stdout: 'ran\n', stderr: '' });
    expect(questions.answers()).toEqual([`auth: ${given}`]);
  });

  test.each(['Passcode: ', 'One-time password: ', 'Verification code: ', 'PIN: '])(
    'that reads %j is not, in under a second, and its text is in the error',
    (text) => {
      const { profile, questions } = asking({ text });
      const outcome = openUnder(policy(1), profile);
      expectRefusal(outcome, `after the question "${text.trim()}"`);
      expect(outcome.stderr).toContain('auth-pam-require-password-prompt=0');
      expect(outcome.milliseconds).toBeLessThan(1000);
      expect(questions.answers()).toEqual(['auth: none 19']);
    },
  );

  test.each(['Passcode: ', 'One-time password: ', ''])(
    'that reads %j is under auth-pam-require-password-prompt=0',
    (text) => {
      const { profile, questions } = asking({ text });
      expect(openUnder(policy(0), profile)).toMatchObject({ status: 0, stdout: 'ran\n', stderr: '' });
      expect(questions.answers()).toEqual([`auth: ${given}`]);
    },
  );

  test.each([0, 1] as const)('whose answer may be seen never gets the password (%i)', (value) => {
    const { profile, questions } = asking({ echo: true });
    expectRefusal(openUnder(policy(value), profile), 'after the question "Password:"');
    expect(questions.answers()).toEqual(['auth: none 19']);
  });

  test('for a second factor without a terminal is in the error, in under a second', () => {
    const questions = new Questions();
    const outcome = openUnder(
      policy(1),
      unix(questions.rule('auth', { text: 'One-time password (OATH): ' })),
    );
    expectRefusal(
      outcome,
      /after the question "One-time password \(OATH\):".*PAM_CONV_ERR[\s\S]*no terminal to ask at/,
    );
    expect(outcome.milliseconds).toBeLessThan(1000);
    expect(questions.answers()).toEqual(['auth: none 19']);
  });

  test.each([false, true])(
    'that comes again got a wrong password, and gets it once (stubborn: %p)',
    (stubborn) => {
      const { profile, questions } = asking({ expect: 'another', times: 3, stubborn });
      const outcome = openUnder(policy(1), profile);
      expectRefusal(outcome, /the password was given once and is wrong/);
      expect(outcome.milliseconds).toBeLessThan(1000);
      const refused = stubborn ? ['auth: none 19', 'auth: none 19'] : ['auth: none 19'];
      expect(questions.answers()).toEqual([`auth: ${given}`, ...refused]);
    },
  );

  test('while the session is opened is answered, too', () => {
    const questions = new Questions();
    const profile = unix(questions.rule('open', { text: 'reenter password for pam_mount:' }));
    expect(openUnder(policy(1), profile)).toMatchObject({ status: 0, stdout: 'ran\n', stderr: '' });
    expect(questions.answers()).toEqual([`open: ${given}`]);
  });

  test('that the authentication has asked is answered when the session is opened', () => {
    const questions = new Questions();
    const profile = unix(questions.rule('open', { text: 'Password: ' }));
    expect(openUnder(policy(1), profile)).toMatchObject({ status: 0, stdout: 'ran\n', stderr: '' });
    expect(questions.answers()).toEqual([`open: ${given}`]);
  });

  test('while the session is opened that nobody answers undoes what was done', () => {
    const questions = new Questions();
    const recorded = new RecordedProfile([], questions.rule('open', { text: 'Token: ' }));
    expectRefusal(openUnder(policy(1), recorded.name), 'session refused by');
    expect(recorded.calls()).toEqual(['auth', 'acct', 'cred', 'open', 'close', 'delete', 'end status=19']);
  });

  test('while the session is closed gets no password any more', () => {
    const questions = new Questions();
    const profile = unix(questions.rule('close', { text: 'Password: ' }));
    const words = ['open', '--on-exit', 'close', '--password-stdin', '-p', profile, user.name, '--', 'true'];
    const outcome = run(TOOL, words, { input: `${user.password}\n` });
    expect(outcome).toMatchObject({ status: 0, stdout: '' });
    expect(questions.answers()).toEqual(['close: none 19']);
  });

  test('may come with messages, which are shown in their order', () => {
    const { profile } = asking({ info: 'Welcome to the cluster.', error: 'Maintenance on Friday.' });
    expect(openUnder(policy(1), profile)).toMatchObject({
      status: 0,
      stdout: 'ran\n',
      stderr: 'Welcome to the cluster.\nMaintenance on Friday.\n',
    });
  });
});

describe('a session', () => {
  test('whose user must change the password is refused without a terminal, and says how', () => {
    const expired = passwordUser({ aging: '0:0:99999:7:::' });
    const profile = writeProfile(
      'auth required pam_unix.so',
      'account required pam_unix.so',
      'password required pam_unix.so',
      'session required pam_permit.so',
    );
    const words = ['open', '--password-stdin', '-p', profile, expired.name, '--', 'echo', 'ran'];
    const outcome = run(TOOL, words, { input: `${expired.password}\n` });
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toMatch(new RegExp(`PAM_NEW_AUTHTOK_REQD[\\s\\S]*passwd ${expired.name}`));
  });

  test('whose profile lets root in before warns that the password is never asked', () => {
    const outcome = openWith(`${user.password}\nrest\n`, plainProfile(), 'cat');
    expect(outcome).toMatchObject({ status: 0, stdout: 'rest\n' });
    expect(outcome.stderr).toMatch(
      /^rsession-pam: warning: .* never asks for the password: .*pam_rootok.*\n$/,
    );
  });

  test.each(['--password-stdin', undefined])('without PAM has no use for one (%s)', (way) => {
    const config = settings('auth-pam-sessions-enabled=0', 'auth-pam-sessions-use-password=1');
    const words = ['open', '-c', config, ...(way === undefined ? [] : [way]), user.name, '--', 'cat'];
    const outcome = run(TOOL, words, { input: way === undefined ? 'rest\n' : `${SECRET}\nrest\n` });
    expect(outcome.stderr).toContain('PAM sessions are off');
    // It is no input of the command: R would take it for code, and show it.
    expect(outcome.stdout + outcome.stderr).not.toContain(SECRET);
    if (way === undefined) expect(outcome).toMatchObject({ status: 0, stdout: 'rest\n' });
  });

  test('with --exec has the rest of standard input as well', () => {
    const words = ['open', '--exec', '--password-stdin', '-p', unix(), user.name, '--', 'cat'];
    const outcome = run(TOOL, words, { input: `${user.password}\nrest\n` });
    expect(outcome).toEqual({ status: 0, stdout: 'rest\n', stderr: '' });
  });
});

const AS = (uid: number): string[] => ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];

/** Runs `rsession-pam` as a user; `limits` are words of prlimit(1). */
function asItself(
  { uid, password }: PasswordUser,
  limits: readonly string[],
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Outcome {
  const command = [...(limits.length > 0 ? ['prlimit', ...limits] : []), TOOL, ...words];
  return run('setpriv', [...AS(uid), ...command], { input: `${password}\nrest\n`, env });
}

describe('a session of a user for itself', () => {
  const words = (...more: string[]): string[] => [
    'open',
    '--password-stdin',
    ...more,
    '-p',
    unix(),
    user.name,
    '--',
    'cat',
  ];

  test('is opened with the password', () => {
    expect(asItself(user, [], words())).toEqual({ status: 0, stdout: 'rest\n', stderr: '' });
  });

  test('is refused where no memory may be locked, and says what helps', () => {
    const outcome = asItself(user, ['--memlock=0'], words());
    expectRefusal(outcome, /cannot be kept out of the swap space: mlock: [\s\S]*memlock[\s\S]*--allow-swap/);
    expect(outcome.stderr).not.toContain(user.password);
  });

  test('is opened there with --allow-swap', () => {
    const outcome = asItself(user, ['--memlock=0'], words('--allow-swap'));
    expect(outcome).toEqual({ status: 0, stdout: 'rest\n', stderr: '' });
  });
});

function statusOf(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'utf8');
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

/** Nothing where the process has ended. */
function argumentsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** Whether a process has made itself ready for a password and waits for it, in poll(2), ppoll(2) or read(2). */
function waitsForPassword(pid: number): boolean {
  try {
    const waits = /^(0|7|271) /.test(readFileSync(`/proc/${pid}/syscall`, 'latin1'));
    return waits && stateOf(pid) === 'S' && guardOf(pid).softCore === '1';
  } catch {
    return false;
  }
}

/** What guards a process that has a password. */
interface Guard {
  /** Who owns its files in /proc: root where it is not dumpable (proc(5)). */
  readonly owner: number;
  readonly softCore: string;
  readonly locked: number;
  /** The flags of the mappings that are wiped in children. */
  readonly pages: readonly string[][];
}

function guardOf(pid: number): Guard {
  const flags = readFileSync(`/proc/${pid}/smaps`, 'latin1').match(/^VmFlags:.*$/gm) ?? [];
  return {
    owner: statSync(`/proc/${pid}/environ`).uid,
    softCore: /^Max core file size +(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? '',
    locked: Number(/^VmLck:\s+(\d+) kB/m.exec(statusOf(pid))?.[1]),
    // dp: newer C libraries have such a page for random numbers, which may be dropped.
    pages: flags
      .map((line) => line.trim().split(' '))
      .filter((words) => words.includes('wf') && !words.includes('dp')),
  };
}

const HELD: Guard = {
  owner: 0,
  softCore: '1',
  locked: 4,
  pages: [expect.arrayContaining(['lo', 'dd', 'wf'])],
};

describe('while the password is held', () => {
  const directory = scratch();
  const script = join(directory, 'module');
  const gate = new Gate(directory);
  writeFileSync(script, `#!/bin/sh\n${gate.wait}\n`);
  chmodSync(script, 0o755);
  const rule = `required pam_exec.so quiet ${script}`;
  const profiles = {
    authentication: unix(`auth ${rule}`),
    'the opening of the session': unix(`session ${rule}`),
  };
  const inModule = (pid: number): Promise<void> =>
    until('the module runs', () => childrenOf(pid).some((child) => argumentsOf(child).includes(script)));

  test.each([
    { call: 'authentication', who: 'root', uid: 0 },
    { call: 'authentication', who: 'the user itself', uid: user.uid },
    { call: 'the opening of the session', who: 'root', uid: 0 },
    { call: 'the opening of the session', who: 'the user itself', uid: user.uid },
  ] as const)(
    'during $call, as $who, it is in one guarded page, which then is gone',
    async ({ call, uid }) => {
      const own = new Gate(scratch());
      const words = ['open', '--password-stdin', '-p', profiles[call], user.name, '--', 'sh', '-c'];
      const running = watch(
        start('setpriv', [...AS(uid), 'prlimit', '--core=12345:', TOOL, ...words, `echo up; ${own.wait}`]),
      );
      running.process.stdin?.write(`${user.password}\n`);
      await inModule(running.pid);
      expect(guardOf(running.pid)).toEqual(HELD);
      gate.open();
      await soon('the command runs', running.seen('up'));
      expect(guardOf(running.pid)).toEqual({ owner: uid, softCore: '12345', locked: 0, pages: [] });
      own.open();
      expect(await soon('it ends', running.ended)).toMatchObject({ status: 0 });
    },
  );

  test('and already while it is read', async () => {
    const words = ['open', '--password-stdin', '-p', unix(), user.name, '--', 'true'];
    const running = watch(start('setpriv', [...AS(user.uid), TOOL, ...words]));
    await until('it waits for the password', () => waitsForPassword(running.pid));
    expect(guardOf(running.pid)).toEqual(HELD);
    running.process.stdin?.end(`${user.password}\n`);
    expect(await soon('it ends', running.ended)).toMatchObject({ status: 0 });
  });

  test('without a password nothing is guarded', async () => {
    const words = [
      'open',
      '-p',
      session('auth required pam_permit.so', `session ${rule}`),
      user.name,
      '--',
      'true',
    ];
    const running = watch(start('setpriv', [...AS(user.uid), 'prlimit', '--core=12345:', TOOL, ...words]));
    await inModule(running.pid);
    expect(guardOf(running.pid)).toEqual({ owner: user.uid, softCore: '12345', locked: 0, pages: [] });
    gate.open();
    await soon('it ends', running.ended);
  });
});

describe('the core limit of the command', () => {
  test.each([
    ['no limits', []],
    ['core 0', ['- core 0']],
    ['core 1000', ['- core 1000']],
    ['a soft core 7', ['soft core 7']],
    ['a hard core 1000', ['hard core 1000']],
  ])('is the one that it has without a password, where the session sets %s', (_case, limits) => {
    const profile = plainProfile(...(limits.length > 0 ? [limitsRule(...limits)] : []));
    const core = (caller: string, ...way: string[]): string => {
      const words = [
        'open',
        ...way,
        '-p',
        profile,
        user.name,
        '--',
        'prlimit',
        '--core',
        '--raw',
        '--noheadings',
      ];
      const outcome = run('prlimit', [`--core=${caller}`, TOOL, ...words], { input: 'secret\n' });
      expect(outcome.status).toBe(0);
      return outcome.stdout;
    };
    for (const caller of ['0:unlimited', '0:0', '4096:8192', '1:1']) {
      expect([caller, core(caller, '--password-stdin')]).toEqual([caller, core(caller)]);
    }
  });
});
