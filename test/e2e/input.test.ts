// Bad input: one clear line (and a hint), the right status, nothing left behind.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainProfile, RecordedProfile, scratch, writeProfile } from '../support/profile';
import { type Outcome, open, run, shell, TOOL, tool } from '../support/tool';

/** The failure is one line of ours, at most followed by a hint; a module may have spoken before. */
function expectFailure(outcome: Outcome, status: number, message: string | RegExp, before = ''): void {
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr.startsWith(before)).toBe(true);
  expect(outcome.stderr.slice(before.length).trimEnd()).toMatch(/^rsession-pam: [^\n]+(\nhint: [^\n]+)?$/);
  expect(outcome).toMatchObject({ status, stdout: '' });
}

describe('user names', () => {
  test.each([
    ['unknown', 'nobody-here', 'nobody-here: there is no such user'],
    ['empty', '', 'the user name is empty'],
    ['a path', '../x', '../x: there is no such user'],
    ['of 300 characters', 'u'.repeat(300), /u{77}\.\.\.: there is no such user/],
    ['with a line break', 'a\nb', 'a\\x0ab: there is no such user'],
    ['with an escape sequence', '\x1b[31mx', '\\x1b[31mx: there is no such user'],
    ['numeric', '2001', 'user id 2001 is "alice"'],
    ['numeric and unknown', '4000000', '4000000: there is no such user'],
  ])('%s', (_case, name, message) => {
    expectFailure(open(name, '--', 'true'), 125, message);
  });

  test('an option in its place is an unknown option', () => {
    expectFailure(open('-rf'), 125, "unknown option '-rf'");
  });

  test('a name in UTF-8 is a name like any other', () => {
    expect(open('jörg', '--', 'id', '-un')).toMatchObject({ status: 0, stdout: 'jörg\n' });
  });

  test('no user is a usage error', () => {
    expectFailure(open(), 125, "missing required argument 'user'");
  });
});

describe('usage', () => {
  test.each([
    [['open', '--bad', 'alice'], "unknown option '--bad'"],
    [['open', 'alice', 'R'], 'a command is separated by --'],
    [['open', 'alice', '--'], 'no command after --'],
    [['open', 'alice', '--', ''], 'no command after --'],
    [['open', '--on-exit', 'never', 'alice'], 'must be keep or close'],
    [['open', '--stop-timeout', 'soon', 'alice'], 'must be a number of seconds'],
    [['open', '--stop-timeout=-1', 'alice'], 'must be a number of seconds'],
    [['open', '-e', '=x', 'alice'], 'must be NAME=VALUE'],
    [['open', '-e', 'x', 'alice'], 'must be NAME=VALUE'],
    [['open', '-p'], 'argument missing'],
    [['open', '--exec', '--on-exit', 'close', 'alice'], '--exec leaves nobody who could close'],
    [['open', '-p', '../../tmp/x', 'alice'], 'not a path'],
    [['open', '-p', '', 'alice'], 'must not be empty'],
    [['opne', 'alice'], "unknown command 'opne'"],
    [['config', '--', 'x'], 'nothing may follow --'],
    [[], 'no command given'],
  ])('%j', (words, message) => {
    expectFailure(tool(...words), 125, message);
  });

  test.each([[['--help']], [['open', '--help']], [['config', '--help']], [['--version']]])(
    '%j is answered on standard output',
    (words) => {
      const outcome = tool(...words);
      expect(outcome).toMatchObject({ status: 0, stderr: '' });
      expect(outcome.stdout).not.toBe('');
    },
  );
});

describe('profiles', () => {
  test('a missing one names the files looked for', () => {
    const outcome = open('-p', 'nope', 'alice', '--', 'true');
    expectFailure(outcome, 125, 'looked for /etc/pam.d/nope and /usr/lib/pam.d/nope');
  });

  test('a missing one falls to "other" on request only', () => {
    expect(open('-p', 'nope', '--allow-other', '--dry-run', 'alice').stdout).toContain(
      'nope: /etc/pam.d/other',
    );
  });

  test('a directory', () => {
    mkdirSync('/etc/pam.d/test-directory', { recursive: true });
    expectFailure(open('-p', 'test-directory', 'alice'), 125, '/etc/pam.d/test-directory is a directory');
  });

  test('one with Windows line ends', () => {
    const name = writeProfile('auth sufficient pam_rootok.so\r', 'account required pam_permit.so\r');
    expectFailure(open('-p', name, 'alice'), 125, 'CRLF');
  });

  test('one that names a missing module', () => {
    const name = plainProfile('required pam_nosuch.so');
    expectFailure(open('-p', name, 'alice', '--', 'true'), 125, /PAM_MODULE_UNKNOWN[\s\S]*not installed/);
  });

  test('one without pam_rootok asks for a password, which is refused with the remedy', () => {
    const name = writeProfile('auth required pam_unix.so', 'account required pam_permit.so');
    const outcome = open('-p', name, 'alice', '--', 'true');
    expectFailure(outcome, 125, /after the question "Password:"[\s\S]*auth sufficient pam_rootok\.so/);
  });

  test('one whose session modules all ignore', () => {
    const name = writeProfile(
      'auth sufficient pam_rootok.so',
      'account required pam_permit.so',
      'session optional pam_debug.so open_session=ignore',
    );
    const outcome = open('-p', name, 'alice', '--', 'true');
    expectFailure(outcome, 125, /PAM_PERM_DENIED[\s\S]*pam_permit\.so/, 'open_session=ignore\n');
  });

  test.each([
    ['is expired', ['-E', '1'], /PAM_ACCT_EXPIRED[\s\S]*chage -l bob/, 'Your account has expired'],
    [
      'needs a new password',
      ['-d', '0'],
      /PAM_NEW_AUTHTOK_REQD[\s\S]*passwd bob/,
      'You are required to change',
    ],
  ])('an account that %s', (_case, change, message, text) => {
    const name = writeProfile('auth sufficient pam_rootok.so', 'account required pam_unix.so');
    execFileSync('chage', [...change, 'bob']);
    try {
      const outcome = open('-p', name, 'bob', '--', 'true');
      expect(outcome.stderr).toContain(text);
      expectFailure(outcome, 125, message, `${outcome.stderr.split('\n')[0]}\n`);
    } finally {
      execFileSync('chage', ['-E', '-1', '-d', '20000', 'bob']);
    }
  });
});

describe('settings', () => {
  function config(text: string, mode = 0o644): string {
    const file = join(scratch(), 'rserver.conf');
    writeFileSync(file, text, { mode });
    return file;
  }

  test('a missing file', () => {
    expectFailure(open('-c', '/nope', 'alice'), 125, '/nope: there is no such file');
  });

  test('a directory', () => {
    expectFailure(open('-c', '/etc', 'alice'), 125, '/etc: is not a regular file');
  });

  test('a FIFO does not make it wait', () => {
    const fifo = join(scratch(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    expectFailure(open('-c', fifo, 'alice'), 125, 'is not a regular file');
  });

  test('a bad value is named with file and line', () => {
    const file = config('# ours\r\nauth-pam-sessions-close=maybe\r\n');
    expectFailure(open('-c', file, 'alice'), 125, `${file}:2: auth-pam-sessions-close=maybe: must be 0 or 1`);
  });

  test('a file that others can write', () => {
    const file = config('');
    chmodSync(file, 0o666);
    expectFailure(open('-c', file, 'alice'), 125, /other than root can write[\s\S]*chmod go-w/);
  });

  test('a file of a user', () => {
    const file = config('');
    chownSync(file, 2001, 2001);
    expectFailure(open('-c', file, 'alice'), 125, /belongs to user id 2001[\s\S]*chown root/);
  });

  test("a link to root's file through a user's directory", () => {
    const directory = scratch();
    chmodSync(directory, 0o777);
    writeFileSync(join(directory, 'real'), '');
    symlinkSync(join(directory, 'real'), '/tmp/link-to-settings');
    expectFailure(open('-c', '/tmp/link-to-settings', 'alice'), 125, 'other than root can write');
  });

  test('/dev/null is a file without settings', () => {
    expect(tool('config', '-c', '/dev/null')).toMatchObject({ status: 0, stderr: '' });
  });

  test('CRLF is no obstacle', () => {
    const profile = plainProfile();
    const file = config(`auth-pam-sessions-profile = ${profile}\r\nauth-pam-sessions-close=1\r\n`);
    expect(open('-c', file, 'alice', '--', 'true')).toMatchObject({ status: 0, stderr: '' });
  });

  test('config shows value and origin of every setting', () => {
    const file = config('auth-pam-sessions-close=1\nunknown-key=x\n');
    const { status, stdout } = tool('config', '-c', file);
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^auth-pam-sessions-close +1 +${file}:1$`, 'm'));
    expect(stdout).toMatch(/^auth-pam-sessions-profile +su +default$/m);
    expect(
      JSON.parse(tool('config', '--json', '-c', file).stdout).settings['auth-pam-sessions-close'],
    ).toEqual({
      value: true,
      origin: { from: 'file', file, line: 1 },
    });
  });

  test('auth-pam-sessions-enabled=0 runs the command as the user without PAM, and says what is missing', () => {
    const profile = new RecordedProfile();
    const file = config(`auth-pam-sessions-enabled=0\nauth-pam-sessions-profile=${profile.name}\n`);
    const command = `"$TOOL" open -c ${file} many -- sh -c 'id -u; id -G | wc -w; ulimit -Sn'`;
    const outcome = shell(`ulimit -Sn 777; ${command}`);
    expect(outcome).toMatchObject({ status: 0, stdout: '2004\n21\n777\n' });
    expect(outcome.stderr).toMatch(
      /^rsession-pam: warning: PAM sessions are off .* no home directory is made.*\n$/,
    );
    expect(profile.calls()).toEqual([]);
  });

  test('rsession-which-r is what runs without a command', () => {
    const file = config('rsession-which-r=/bin/hostname\n');
    expect(open('-c', file, 'alice').stdout).toBe(run('/bin/hostname', []).stdout);
  });
});

describe('directories and commands', () => {
  const secret = '/root/secret-directory';
  beforeAll(() => mkdirSync(secret, { recursive: true, mode: 0o700 }));

  test.each([
    ['missing', ['-C', '/nope'], '/nope: alice cannot enter this directory: No such file'],
    ['relative and missing', ['-C', 'nope'], 'nope: alice cannot enter this directory'],
    ['a file', ['-C', '/etc/passwd'], 'Not a directory'],
    ['forbidden', ['-C', '/root/secret-directory'], 'Permission denied'],
  ])('a directory that is %s', (_case, options, message) => {
    expectFailure(open(...options, 'alice', '--', 'true'), 125, message);
  });

  test('a relative directory is relative to the caller', () => {
    const outcome = run(TOOL, ['open', '-C', 'share', 'alice', '--', 'pwd'], { cwd: '/usr' });
    expect(outcome.stdout).toBe('/usr/share\n');
  });

  test("the caller's directory is kept even where the user could not enter it, as with su", () => {
    const inside = 'cat /proc/self/status >/dev/null; readlink /proc/self/cwd';
    const outcome = run(TOOL, ['open', 'alice', '--', 'sh', '-c', inside], { cwd: secret });
    expect(outcome.stdout).toBe(`${secret}\n`);
    const su = run('su', ['-s', '/bin/sh', 'alice', '-c', inside], { cwd: secret });
    expect(su.stdout).toBe(outcome.stdout);
  });

  test('a directory that was removed under the caller is no obstacle', () => {
    const outcome = shell(
      'mkdir /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && "$TOOL" open alice -- echo ran',
    );
    expect(outcome).toMatchObject({ status: 0, stdout: 'ran\n' });
  });

  test.each([
    ['missing', 'nosuch', 127, /nosuch: command not found\nhint: the session has PATH=/],
    ['a missing path', '/nope/R', 127, '/nope/R: command not found'],
    ['without x bit', '/etc/passwd', 126, /cannot run: Permission denied\nhint: the user needs execute/],
    ['a directory', '/etc', 126, 'cannot run: Permission denied'],
    ['behind a file', '/etc/passwd/x', 127, 'command not found'],
  ])('a command that is %s', (_case, command, status, message) => {
    expectFailure(open('alice', '--', command), status, message);
  });

  test('a script without #! says what it needs', () => {
    const script = join(scratch(), 'script');
    writeFileSync(script, 'echo hello\n', { mode: 0o755 });
    expectFailure(open('alice', '--', script), 126, /#!\/bin\/sh/);
  });

  test('a script whose interpreter is missing', () => {
    const script = join(scratch(), 'script');
    writeFileSync(script, '#!/nope/R\n', { mode: 0o755 });
    expectFailure(open('alice', '--', script), 127, 'interpreter');
  });

  test('R that is not on the PATH', () => {
    const profile = plainProfile('required pam_env.so conffile=/etc/security/test-path.conf readenv=0');
    writeFileSync('/etc/security/test-path.conf', 'PATH OVERRIDE=/nope\n');
    expectFailure(
      open('-p', profile, 'alice'),
      127,
      /R: command not found\nhint: the session has PATH=\/nope/,
    );
  });

  test.each([
    ['spawn', []],
    ['--exec', ['--exec']],
  ])('a command that cannot run closes the session again (%s)', (_case, options) => {
    const profile = new RecordedProfile();
    expectFailure(open('-p', profile.name, ...options, 'alice', '--', 'nosuch'), 127, 'not found');
    expect(profile.calls()).toEqual(['auth', 'acct', 'cred', 'open', 'close', 'delete', 'end status=26']);
  });
});

describe('standard streams', () => {
  test.each([
    [[0], '<&-'],
    [[1], '>&-'],
    [[2], '2>&-'],
    [[0, 1, 2], '<&- >&- 2>&-'],
  ])('%j closed by the caller is /dev/null for the command', (closed, redirection) => {
    const file = join(scratch(), 'out');
    const list = `for fd in 0 1 2; do readlink /proc/$$/fd/$fd | cat >>${file}; done`;
    expect(shell(`"$TOOL" open alice -- sh -c '${list}' ${redirection}`).status).toBe(0);
    const links = readFileSync(file, 'utf8').trim().split('\n');
    expect(closed.map((fd) => links[fd])).toEqual(closed.map(() => '/dev/null'));
  });

  test.each(['2>/dev/full', '>/dev/full 2>/dev/full'])('a full disk (%s) changes nothing', (redirection) => {
    const profile = new RecordedProfile();
    const words = `-v -p ${profile.name} --on-exit close`;
    expect(shell(`"$TOOL" open ${words} alice -- sh -c 'exit 7' ${redirection}`).status).toBe(7);
    expect(profile.calls().slice(-3)).toEqual(['close', 'delete', 'end status=0']);
  });

  test('a reader that left (SIGPIPE) ends the command, as with su', () => {
    const outcome = shell('{ "$TOOL" open alice -- yes; echo $? >&2; } | head -1');
    expect(outcome.stdout).toBe('y\n');
    expect(outcome.stderr).toContain('141');
  });
});

describe('callers', () => {
  test('who is not root and wants another user', () => {
    const outcome = run('su', ['-s', '/bin/sh', 'alice', '-c', `${TOOL} open bob -- true`]);
    expectFailure(outcome, 125, 'bob: only root can open a session for another user, and this is "alice"');
  });

  test('who is not root gets a session for itself', () => {
    const profile = writeProfile(
      'auth required pam_permit.so',
      'account required pam_permit.so',
      'session required pam_env.so conffile=/etc/security/test-self.conf readenv=0',
    );
    writeFileSync('/etc/security/test-self.conf', 'SELF DEFAULT=yes\n');
    const command = `${TOOL} open -p ${profile} many -- sh -c 'id -u; id -G; echo $SELF'`;
    const outcome = run('su', ['-s', '/bin/sh', 'many', '-c', command]);
    const groups = run('id', ['-G', 'many']).stdout;
    expect(outcome).toMatchObject({ status: 0, stdout: `2004\n${groups}yes\n` });
  });

  test('who is not root and meets pam_rootok reads why it fails', () => {
    const profile = writeProfile('auth required pam_rootok.so', 'account required pam_permit.so');
    const outcome = run('su', ['-s', '/bin/sh', 'alice', '-c', `${TOOL} open -p ${profile} alice -- true`]);
    expectFailure(outcome, 125, 'pam_rootok accepts only root');
  });

  test.each(['alice', 'bob'])('--dry-run needs no root and calls no PAM (as %s)', (caller) => {
    const profile = new RecordedProfile();
    const command = `${TOOL} open -p ${profile.name} --dry-run --json alice -- R -e 1`;
    const outcome = run('su', ['-s', '/bin/sh', caller, '-c', command]);
    expect(outcome.status).toBe(0);
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      user: { name: 'alice', uid: 2001 },
      profile: { service: profile.name, file: `/etc/pam.d/${profile.name}` },
      command: { argv: ['R', '-e', '1'] },
      warnings: caller === 'alice' ? [] : [expect.stringContaining('only root can open a session')],
    });
    expect(profile.calls()).toEqual([]);
  });
});
