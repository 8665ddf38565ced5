// Questions at a terminal: what is typed is hidden and reaches the module; every way out leaves the terminal sane.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { passwordUser, type Question, Questions } from '../support/ask';
import { RecordedProfile, scratch, writeProfile } from '../support/profile';
import { PROMPT, Terminal } from '../support/pty';
import { run, TOOL } from '../support/tool';
import { stateOf, until } from '../support/wait';

const user = passwordUser();
const OPENED_AND_UNDONE = ['auth', 'acct', 'cred', 'open', 'close', 'delete', 'end status=26'];

afterEach(Terminal.closeAll);

/** The first process that the terminal's program has started: a script, which becomes Node. */
function childOf({ pid }: Terminal): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

/** How often a process has begun to wait. */
function waitsOf(pid: number): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Types without the end of the line: from now on the terminal ignores it. */
function typeStart(terminal: Terminal, text: string): void {
  execFileSync('stty', ['-F', readlinkSync(`/proc/${terminal.pid}/fd/0`), 'igncr']);
  terminal.type(text);
}

/** A script that survives the keys, tells the status, and reads what is left of the input. */
function script(command: string, caught = 'trap : INT QUIT HUP'): string {
  return `${caught}; ${command}; echo "status=$?"; read line; echo "then <$line>"; read line`;
}

/** Where a person is asked: by us before PAM, or by a module in one of libpam's calls. */
const places = [
  { place: 'the password', call: undefined, before: [] },
  { place: 'a question during authentication', call: 'auth', before: ['auth', 'end status=26'] },
  { place: 'a question while the session is opened', call: 'open', before: OPENED_AND_UNDONE },
] as const;

/** A session that asks there, and whoever answers. */
class Asked {
  readonly questions = new Questions();
  readonly profile: RecordedProfile;
  readonly command: string;
  readonly #call: 'auth' | 'open' | undefined;

  constructor(call: 'auth' | 'open' | undefined, more: Partial<Question> = {}) {
    this.#call = call;
    const rules = call === undefined ? [] : [this.questions.rule(call, { text: 'Passcode: ', ...more })];
    this.profile = new RecordedProfile([], ...rules);
    this.command = `"$TOOL" open -p ${this.profile.name} --password ${user.name} -- echo it r'a'n`;
  }

  /** Resolves when the question is on the terminal. */
  async appears(terminal: Terminal): Promise<void> {
    await terminal.sees(`Password for ${user.name}: `);
    if (this.#call === undefined) return;
    terminal.type(user.password);
    await terminal.sees('Passcode: ');
  }

  /** What the module has been answered where `text` was typed. */
  answered(text: string): string[] {
    return this.#call === undefined ? [] : [`${this.#call}: ${text}`];
  }
}

describe.each(places)('at $place', ({ call, before }) => {
  test.each([
    { key: 'Ctrl-C', status: 130, name: 'SIGINT (Interrupt)' },
    { key: 'Ctrl-\\', status: 131, name: 'SIGQUIT (Quit)' },
  ] as const)('$key ends it, shows typing again and undoes everything', async ({ key, status, name }) => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    expect(terminal.settings()).toContain('-echo');
    terminal.press(key);
    const seen = await terminal.sees(`status=${status}`);
    expect(terminal.settings()).toEqual(expect.arrayContaining(['echo', 'icanon', 'isig']));
    expect(seen).toContain(name);
    expect(seen).not.toContain('it ran');
    expect(asked.profile.calls()).toEqual(before);
  });

  test.each([
    { signal: 'SIGTERM', status: 143 },
    { signal: 'SIGHUP', status: 129 },
    { signal: 'SIGINT', status: 130 },
  ] as const)('$signal ends it, shows typing again and undoes everything', async ({ signal, status }) => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    process.kill(childOf(terminal), signal);
    const seen = await terminal.sees(`status=${status}`);
    expect(terminal.settings()).toEqual(expect.arrayContaining(['echo', 'icanon', 'isig']));
    expect(seen).not.toContain('it ran');
    expect(asked.profile.calls()).toEqual(before);
  });

  test('a signal that comes between the question and the wait for its answer is not missed', async () => {
    const asked = new Asked(call);
    const slow = 'strace -qq -o /dev/null -P /dev/tty -e trace=write -e inject=write:delay_exit=200000';
    const terminal = Terminal.sh(script(asked.command.replace('"$TOOL"', `${slow} "$TOOL"`)));
    await asked.appears(terminal);
    terminal.press('Ctrl-C');
    const seen = await terminal.sees('status=130');
    expect(seen).not.toContain('it ran');
    expect(asked.profile.calls()).toEqual(before);
  });

  test('a terminal that hangs up ends it and undoes everything', async () => {
    const asked = new Asked(call);
    const status = join(scratch(), 'status');
    const file = join(scratch(), 'script');
    writeFileSync(file, `trap : HUP; ${asked.command}; echo $? >${status}.new; mv ${status}.new ${status}`);
    const terminal = Terminal.sh(`sh ${file}; true`);
    await asked.appears(terminal);
    Terminal.closeAll();
    await until('it ends', () => existsSync(status));
    expect(readFileSync(status, 'utf8')).toBe('129\n');
    expect(asked.profile.calls()).toEqual(before);
  });

  test('Ctrl-Z does nothing: what is typed then is hidden, too, and is the answer', async () => {
    const asked = new Asked(call);
    const terminal = await Terminal.bash();
    terminal.type(asked.command);
    await asked.appears(terminal);
    terminal.press('Ctrl-Z');
    terminal.type('hidden');
    const seen = await terminal.sees(/Stopped|it ran/);
    expect(seen).not.toMatch(/Stopped|hidden/);
    await terminal.sees(PROMPT);
    expect(asked.questions.answers()).toEqual(asked.answered('hidden'));
    expect(await terminal.answers('echo $?; stty -a')).toMatch(/^0\n[\s\S]* echo /);
  });

  test('a new size of the window changes nothing', async () => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    terminal.resize(61, 17);
    for (const signal of ['SIGCONT', 'SIGWINCH'] as const) process.kill(childOf(terminal), signal);
    terminal.type('answer');
    await terminal.sees('it ran');
    await terminal.sees('status=0');
    expect(asked.questions.answers()).toEqual(asked.answered('answer'));
  });

  test('a line of more than 512 bytes is refused, and its rest does not reach the shell', async () => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    terminal.type('x'.repeat(1000));
    expect(await terminal.sees('status=125')).toMatch(/from the terminal is longer than 512 bytes/);
    expect(terminal.settings()).toContain('echo');
    terminal.type('typed');
    expect(await terminal.sees(/then <.*>/)).toContain('then <typed>');
    expect(asked.profile.calls()).toEqual(before);
  });

  test('a line of 512 bytes is taken', async () => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    terminal.type('x'.repeat(512));
    await terminal.sees('status=0');
    expect(asked.questions.answers()).toEqual(asked.answered('x'.repeat(512)));
  });

  test('Ctrl-D instead of an answer is refused', async () => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    terminal.press('Ctrl-D');
    expect(await terminal.sees('status=125')).toContain('ended before a line');
    expect(terminal.settings()).toContain('echo');
    expect(asked.profile.calls()).toEqual(before);
  });

  test('an empty line is refused for a password and an answer for a module', async () => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    terminal.type('');
    expect(await terminal.sees(/status=\d+/)).toContain(call === undefined ? 'is empty' : 'status=0');
    expect(asked.questions.answers()).toEqual(asked.answered(''));
  });

  test('Ctrl-C ends it also after the start of a line that Ctrl-D has sent', async () => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command));
    await asked.appears(terminal);
    const child = childOf(terminal);
    await until('it waits', () => stateOf(child) === 'S');
    const waits = waitsOf(child);
    typeStart(terminal, 'start\x04');
    await until('it has read and waits again', () => waitsOf(child) > waits && stateOf(child) === 'S');
    terminal.press('Ctrl-C');
    await terminal.sees('status=130');
    expect(asked.profile.calls()).toEqual(before);
  });

  test('a key whose signal the caller ignores does nothing', async () => {
    const asked = new Asked(call);
    const terminal = Terminal.sh(script(asked.command, "trap '' INT QUIT"));
    await asked.appears(terminal);
    terminal.press('Ctrl-C');
    terminal.press('Ctrl-\\');
    terminal.type('answer');
    await terminal.sees('it ran');
    await terminal.sees('status=0');
    expect(asked.questions.answers()).toEqual(asked.answered('answer'));
  });
});

describe('with a terminal', () => {
  const unix = (...more: string[]): string =>
    writeProfile(
      'auth required pam_unix.so',
      ...more,
      'account required pam_unix.so',
      'password required pam_unix.so sha512 rounds=1000',
      'session required pam_permit.so',
    );
  const opened = (options: string, name: string): string =>
    script(`"$TOOL" open ${options} ${name} -- echo it r'a'n`);
  const password = async (terminal: Terminal, of = user): Promise<void> => {
    await terminal.sees(`Password for ${of.name}: `);
    terminal.type(of.password);
  };

  test.each([
    { what: 'a hidden code', echo: false, code: ' 123 456\t', seen: expect.not.stringContaining('123 456') },
    {
      what: 'a code that may be seen',
      echo: true,
      code: '123 456',
      seen: expect.stringContaining('123 456'),
    },
    { what: 'a code in UTF-8', echo: false, code: 'Schlüssel', seen: expect.not.stringContaining('Schl') },
  ])('$what is asked after the password and reaches the module exactly', async ({ echo, code, seen }) => {
    const questions = new Questions();
    const profile = unix(questions.rule('auth', { text: 'One-time password: ', echo }));
    const terminal = Terminal.sh(opened(`-p ${profile} --password`, user.name));
    await password(terminal);
    await terminal.sees('One-time password: ');
    terminal.type(code);
    expect(await terminal.sees('it ran')).toEqual(seen);
    expect(questions.answers()).toEqual([`auth: ${Buffer.from(code).toString('latin1')}`]);
    await terminal.sees('status=0');
    expect(terminal.settings()).toContain('echo');
  });

  test('the password is asked for where the settings want it, and no other question before', async () => {
    const settings = join(scratch(), 'rserver.conf');
    writeFileSync(settings, 'auth-pam-sessions-use-password=1\n');
    const terminal = Terminal.sh(opened(`-c ${settings} -p ${unix()}`, user.name));
    await password(terminal);
    expect(await terminal.sees('it ran')).not.toContain(user.password);
    await terminal.sees('status=0');
  });

  test('a wrong password is asked for once', async () => {
    const terminal = Terminal.sh(opened(`-p ${unix()} --password`, user.name));
    await terminal.sees(`Password for ${user.name}: `);
    terminal.type('wrong');
    const seen = await terminal.sees('status=125');
    expect(seen).toContain('PAM_AUTH_ERR');
    expect(seen).not.toContain('assword:');
  });

  test('it is asked at the terminal also where standard input is a pipe, which the command reads', async () => {
    const command = `echo 'pi'ped | "$TOOL" open -p ${unix()} --password ${user.name} -- cat`;
    const terminal = Terminal.sh(script(command));
    await password(terminal);
    await terminal.sees('piped');
    await terminal.sees('status=0');
    expect(terminal.settings()).toContain('echo');
  });

  test('a question is asked of the person also where the password comes from elsewhere', async () => {
    const questions = new Questions();
    const profile = unix(questions.rule('auth', { text: 'Passcode: ' }));
    const file = join(scratch(), 'password');
    writeFileSync(file, `${user.password}\n`);
    const command = `"$TOOL" open -p ${profile} --password-fd 3 ${user.name} -- echo it r'a'n 3<${file}`;
    const terminal = Terminal.sh(script(command));
    await terminal.sees('Passcode: ');
    terminal.type('123');
    await terminal.sees('it ran');
    expect(questions.answers()).toEqual(['auth: 123']);
  });

  test('an expired password is changed, as the modules ask for it', async () => {
    const expired = passwordUser({ aging: '0:0:99999:7:::' });
    const profile = unix();
    const terminal = Terminal.sh(opened(`-v -p ${profile} --password`, expired.name));
    await password(terminal, expired);
    await terminal.sees('Current password: ');
    terminal.type(expired.password);
    await terminal.sees('New password: ');
    expect(terminal.settings()).toContain('-echo');
    terminal.type('changed Pässword 7');
    await terminal.sees('Retype new password: ');
    terminal.type('changed Pässword 7');
    const seen = await terminal.sees('it ran');
    expect(seen).toContain('pam_chauthtok: ok');
    expect(seen).not.toContain('changed');
    const authenticate = (given: string): number =>
      run(TOOL, ['authenticate', '--password-stdin', '-p', nodelay, expired.name], { input: `${given}\n` })
        .status;
    const nodelay = writeProfile('auth required pam_unix.so nodelay', 'account required pam_unix.so');
    expect([authenticate('changed Pässword 7'), authenticate(expired.password)]).toEqual([0, 1]);
  });

  test('Ctrl-C ends the change of an expired password and changes nothing', async () => {
    const expired = passwordUser({ aging: '0:0:99999:7:::' });
    const line = (): string | undefined =>
      readFileSync('/etc/shadow', 'utf8')
        .split('\n')
        .find((entry) => entry.startsWith(`${expired.name}:`));
    const shadow = line();
    const terminal = Terminal.sh(opened(`-p ${unix()} --password`, expired.name));
    await password(terminal, expired);
    await terminal.sees('Current password: ');
    terminal.type(expired.password);
    await terminal.sees('New password: ');
    terminal.press('Ctrl-C');
    expect(await terminal.sees('status=130')).not.toContain('it ran');
    expect(terminal.settings()).toContain('echo');
    expect(line()).toBe(shadow);
  });

  test('a module that asks on after Ctrl-C does not make the person press it again', async () => {
    const questions = new Questions();
    const profile = unix(questions.rule('auth', { text: 'Passcode: ', times: 3, stubborn: true }));
    const terminal = Terminal.sh(opened(`-p ${profile} --password`, user.name));
    await password(terminal);
    await terminal.sees('Passcode: ');
    terminal.press('Ctrl-C');
    expect(await terminal.sees('status=130')).not.toContain('Passcode: ');
    expect(questions.answers()).toEqual(['auth: none 19', 'auth: none 19', 'auth: none 19']);
  });

  test('what was typed before a question is no answer to it', async () => {
    const terminal = Terminal.sh(`read go; ${opened(`-p ${unix()} --password`, user.name)}`);
    terminal.type('');
    terminal.type('too early');
    await password(terminal);
    await terminal.sees('it ran');
  });

  test('nothing of a module reaches the terminal but text', async () => {
    const questions = new Questions();
    const rule = questions.rule('auth', { text: '\x1b[2JPasscode: ', info: 'a\x07b', error: '\x9b31m' });
    const terminal = Terminal.sh(opened(`-p ${unix(rule)} --password`, user.name));
    await password(terminal);
    expect(await terminal.sees('Passcode: ')).not.toMatch(/[\x07\x1b\x9b]/);
  });

  test.each(['--password-stdin', '--password-fd 0'])(
    '%s does not read from it, as typing is seen',
    async (way) => {
      const terminal = Terminal.sh(opened(`-p ${unix()} ${way}`, user.name));
      const seen = await terminal.sees(/status=\d+/);
      expect(seen).toContain('status=125');
      expect(seen).toMatch(/terminal[\s\S]*--password /);
    },
  );

  test('a descriptor of it is refused, too, whatever its number', async () => {
    const command = `"$TOOL" open -p ${unix()} --password-fd 7 ${user.name} -- echo it r'a'n 7</dev/tty`;
    const seen = await Terminal.sh(script(command)).sees(/status=\d+/);
    expect(seen).toContain('status=125');
    expect(seen).toMatch(/terminal[\s\S]*--password /);
  });

  test('without a password nobody is asked', async () => {
    const questions = new Questions();
    const profile = writeProfile(
      questions.rule('auth', { text: 'Password: ' }),
      'account required pam_permit.so',
    );
    const terminal = Terminal.sh(opened(`-p ${profile}`, user.name));
    expect(await terminal.sees('status=125')).toContain('after the question "Password:"');
    expect(questions.answers()).toEqual(['auth: none 19']);
  });

  test('authenticate asks as well, and Ctrl-C ends it with 130', async () => {
    const command = `"$TOOL" authenticate -p ${unix()} ${user.name}`;
    const right = Terminal.sh(script(command));
    await password(right);
    await right.sees('status=0');
    const ended = Terminal.sh(script(command));
    await ended.sees(`Password for ${user.name}: `);
    ended.press('Ctrl-C');
    await ended.sees('status=130');
    expect(ended.settings()).toContain('echo');
  });
});
