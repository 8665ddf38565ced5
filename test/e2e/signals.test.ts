// Signals on their way to the command, its end as the exit status tells it, and what is inherited.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { plainProfile, RecordedProfile, scratch } from '../support/profile';
import { Terminal } from '../support/pty';
import { open, run, start, startOpen, TOOL } from '../support/tool';
import { endWatched, Gate, processesIn, soon, stateOf, until, watch } from '../support/wait';

const profile = plainProfile();

afterEach(endWatched);

/** Writes down each signal it gets until its standard input ends, then ends with status 7. */
const LISTENER = [
  'for my $name (qw(TERM HUP USR1 USR2 INT QUIT)) { $SIG{$name} = sub { syswrite STDOUT, "got $name\\n" } }',
  'syswrite STDOUT, "ready\\n"',
  'do { $read = sysread STDIN, $_, 1 } until defined $read',
  'exit 7',
].join('; ');

describe('a signal to the supervisor', () => {
  test.each(['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT'] as const)(
    '%s arrives at the command as it was sent, and once',
    async (signal) => {
      const running = watch(startOpen('-p', profile, 'alice', '--', 'perl', '-e', LISTENER));
      const got = `got ${signal.slice(3)}\n`;
      await soon('the command is ready', running.seen('ready'));
      process.kill(running.pid, signal);
      await soon('the signal arrives', running.seen(got));
      running.process.stdin?.end();
      expect(await soon('the end', running.ended)).toEqual({
        status: 7,
        stdout: `ready\n${got}`,
        stderr: '',
      });
    },
  );

  test('many of them arrive in their order', async () => {
    const running = watch(startOpen('-p', profile, 'alice', '--', 'perl', '-e', LISTENER));
    await soon('the command is ready', running.seen('ready'));
    const signals = ['USR1', 'USR2', 'HUP', 'USR1', 'INT', 'USR2', 'QUIT', 'TERM'];
    let expected = 'ready\n';
    for (const signal of signals) {
      process.kill(running.pid, `SIG${signal}`);
      expected += `got ${signal}\n`;
      await soon(`SIG${signal} arrives`, running.seen(expected));
    }
    running.process.stdin?.end();
    expect(await soon('the end', running.ended)).toEqual({ status: 7, stdout: expected, stderr: '' });
  });

  test('SIGTERM is followed by SIGKILL after --stop-timeout', async () => {
    const command = ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'];
    const running = watch(startOpen('-p', profile, '--stop-timeout', '0.2', 'alice', '--', ...command));
    await soon('the command is ready', running.seen('ready'));
    process.kill(running.pid, 'SIGTERM');
    expect(await soon('the end', running.ended)).toMatchObject({
      status: 137,
      stderr: 'rsession-pam: sh: ended by SIGKILL (Killed)\n',
    });
  });

  test('reaches a command that is stopped, once that is continued', async () => {
    const running = watch(
      startOpen('-p', profile, 'alice', '--', 'perl', '-e', `syswrite STDOUT, "$$ "; ${LISTENER}`),
    );
    const command = Number.parseInt(await soon('the command is ready', running.seen('ready')), 10);
    process.kill(command, 'SIGSTOP');
    await until('the supervisor stops', () => stateOf(running.pid) === 'T');
    process.kill(running.pid, 'SIGUSR1');
    process.kill(running.pid, 'SIGCONT');
    await soon('the signal arrives', running.seen('got USR1'));
    running.process.stdin?.end();
    expect(await soon('the end', running.ended)).toMatchObject({ status: 7, stderr: '' });
  });
});

describe('on a terminal, a signal to the supervisor alone', () => {
  afterEach(Terminal.closeAll);

  test.each(['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)('%s arrives once', async (signal) => {
    const command = `"$TOOL" open -p ${profile} alice -- perl -e 'print "parent=", getppid, "."; $| = 1; ${LISTENER}'`;
    const terminal = Terminal.sh(`${command}; echo status=$?`);
    const supervisor = Number(/parent=(\d+)\./.exec(await terminal.sees('ready'))?.[1]);
    process.kill(supervisor, signal);
    await terminal.sees(`got ${signal.slice(3)}`);
    terminal.type('enough');
    expect(await terminal.sees('status=7')).not.toContain('got');
  });
});

describe('stopping and continuing', () => {
  test('go together for a command that stops itself', async () => {
    const running = watch(
      startOpen('-p', profile, 'alice', '--', 'sh', '-c', 'echo $$; kill -STOP $$; echo continued; exit 5'),
    );
    const command = Number.parseInt(await soon('the command runs', running.seen('\n')), 10);
    await until('both stop', () => stateOf(running.pid) === 'T' && stateOf(command) === 'T');
    process.kill(running.pid, 'SIGCONT');
    expect(await soon('the end', running.ended)).toEqual({
      status: 5,
      stdout: `${command}\ncontinued\n`,
      stderr: '',
    });
  });

  test('go together as often as it happens', async () => {
    const running = watch(
      startOpen(
        '-p',
        profile,
        'alice',
        '--',
        'sh',
        '-c',
        'for i in 1 2 3 4 5 6 7 8; do kill -STOP $$; echo run $i; done',
      ),
    );
    for (const round of [1, 2, 3, 4, 5, 6, 7, 8]) {
      await until('the supervisor stops', () => stateOf(running.pid) === 'T');
      process.kill(running.pid, 'SIGCONT');
      await soon('the command goes on', running.seen(`run ${round}`));
    }
    expect(await soon('the end', running.ended)).toMatchObject({ status: 0 });
  });

  test('SIGTSTP to the supervisor stops a command that has no terminal', async () => {
    const running = watch(
      startOpen('-p', profile, 'alice', '--', 'perl', '-e', `syswrite STDOUT, "$$ "; ${LISTENER}`),
    );
    const command = Number.parseInt(await soon('the command is ready', running.seen('ready')), 10);
    process.kill(running.pid, 'SIGTSTP');
    await until('both stop', () => stateOf(running.pid) === 'T' && stateOf(command) === 'T');
    process.kill(running.pid, 'SIGCONT');
    await until('both continue', () => stateOf(running.pid) !== 'T' && stateOf(command) !== 'T');
    running.process.stdin?.end();
    expect(await soon('the end', running.ended)).toMatchObject({ status: 7, stderr: '' });
  });
});

describe('the exit status', () => {
  test.each([0, 1, 2, 3, 42, 125, 126, 127, 128, 130, 143, 254, 255])(
    '%i of the command is passed on',
    (status) => {
      expect(open('-p', profile, 'alice', '--', 'sh', '-c', `exit ${status}`)).toEqual({
        status,
        stdout: '',
        stderr: '',
      });
    },
  );

  test.each([
    { signal: 'HUP', status: 129, text: 'SIGHUP (Hangup)' },
    { signal: 'INT', status: 130, text: 'SIGINT (Interrupt)' },
    { signal: 'QUIT', status: 131, text: 'SIGQUIT (Quit)' },
    { signal: 'ABRT', status: 134, text: 'SIGABRT (Aborted)' },
    { signal: 'KILL', status: 137, text: 'SIGKILL (Killed)' },
    { signal: 'USR1', status: 138, text: 'SIGUSR1 (User defined signal 1)' },
    { signal: 'SEGV', status: 139, text: 'SIGSEGV (Segmentation fault)' },
    { signal: 'PIPE', status: 141, text: 'SIGPIPE (Broken pipe)' },
    { signal: 'TERM', status: 143, text: 'SIGTERM (Terminated)' },
    { signal: '37', status: 165, text: 'signal 37 (Real-time signal 3)' },
  ])('is $status when $text ended the command, and says so', ({ signal, status, text }) => {
    const command = ['sh', '-c', `ulimit -c 0; kill -${signal} $$`];
    expect(open('-p', profile, 'alice', '--', ...command)).toEqual({
      status,
      stdout: '',
      stderr: `rsession-pam: sh: ended by ${text}\n`,
    });
    expect(run('su', ['-s', '/bin/sh', 'alice', '-c', command[2] ?? '']).status).toBe(status);
  });

  test('is the command’s where the caller ignores SIGCHLD', () => {
    const statuses = Array.from(
      { length: 10 },
      () =>
        run('env', ['--ignore-signal=CHLD', TOOL, 'open', '-p', profile, 'alice', '--', 'sh', '-c', 'exit 6'])
          .status,
    );
    expect(statuses).toEqual(Array(10).fill(6));
  });
});

describe('the command inherits as under su', () => {
  const masks = (...caller: string[]): string[] =>
    [
      [TOOL, 'open', '-p', profile, 'alice', '--', 'grep', '-E', '^Sig(Ign|Blk)', '/proc/self/status'],
      ['su', '-s', '/bin/sh', 'alice', '-c', 'exec grep -E "^Sig(Ign|Blk)" /proc/self/status'],
    ].map((words) => {
      const [file = '', ...args] = [...caller, ...words];
      return run(file, args).stdout;
    });

  test.each([
    { what: 'nothing special', caller: ['env'], ignored: '0000000000000000', blocked: '0000000000000000' },
    { what: 'nohup', caller: ['nohup'], ignored: '0000000000000001', blocked: '0000000000000000' },
    {
      what: 'SIGINT and SIGHUP ignored',
      caller: ['sh', '-c', 'trap "" INT HUP; exec "$@"', 'sh'],
      ignored: '0000000000000003',
      blocked: '0000000000000000',
    },
    {
      what: 'SIGPIPE, SIGUSR1 and SIGTERM ignored',
      caller: ['env', '--ignore-signal=PIPE,USR1,TERM'],
      ignored: '0000000000005200',
      blocked: '0000000000000000',
    },
    {
      what: 'SIGTSTP, SIGTTIN and SIGTTOU ignored',
      caller: ['env', '--ignore-signal=TSTP,TTIN,TTOU'],
      ignored: '0000000000380000',
      blocked: '0000000000000000',
    },
    {
      what: 'SIGUSR2 and SIGCHLD blocked',
      caller: ['env', '--block-signal=USR2,CHLD'],
      ignored: '0000000000000000',
      blocked: '0000000000010800',
    },
    {
      what: 'SIGTERM blocked and SIGQUIT ignored',
      caller: ['env', '--block-signal=TERM', '--ignore-signal=QUIT'],
      ignored: '0000000000000004',
      blocked: '0000000000004000',
    },
  ])('with $what', ({ caller, ignored, blocked }) => {
    const expected = `SigBlk:\t${blocked}\nSigIgn:\t${ignored}\n`;
    expect(masks(...caller)).toEqual([expected, expected]);
  });

  test('what the caller ignores does not end the supervisor either', async () => {
    const command = [
      'open',
      '-p',
      profile,
      'alice',
      '--',
      'perl',
      '-e',
      '$| = 1; print "ready\\n"; <STDIN>; exit 3',
    ];
    const running = watch(start('nohup', [TOOL, ...command]));
    await soon('the command is ready', running.seen('ready'));
    process.kill(running.pid, 'SIGHUP');
    running.process.stdin?.end();
    expect(await soon('the end', running.ended)).toMatchObject({ status: 3 });
  });
});

describe('SIGUSR1 never opens the debugger of Node', () => {
  /** Whether a process listens on any TCP port (proc(5), /proc/pid/net/tcp: state 0A, the tenth field is the inode). */
  const listens = (pid: number): boolean => {
    const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    return ['tcp', 'tcp6']
      .map((name) => `/proc/${pid}/net/${name}`)
      .filter((file) => existsSync(file))
      .flatMap((file) => readFileSync(file, 'latin1').split('\n'))
      .map((line) => line.trim().split(/\s+/))
      .some((fields) => fields[3] === '0A' && sockets.includes(`socket:[${fields[9]}]`));
  };

  test('while the command runs', async () => {
    const running = watch(startOpen('-p', profile, 'alice', '--', 'perl', '-e', LISTENER));
    await soon('the command is ready', running.seen('ready'));
    for (let round = 0; round < 5; round++) process.kill(running.pid, 'SIGUSR1');
    await soon('the signal arrives', running.seen('got USR1'));
    expect(listens(running.pid)).toBe(false);
    running.process.stdin?.end();
    expect(await soon('the end', running.ended)).toMatchObject({ status: 7, stderr: '' });
  });

  test('at any moment of the start', async () => {
    // It may end the launcher, Node or the command; what counts is that Node does not tell of an open port.
    for (let delay = 0; delay < 48; delay += 2) {
      const running = watch(startOpen('-p', profile, 'alice', '--', 'cat'));
      const moment = Date.now() + delay;
      while (Date.now() < moment) await new Promise((resolve) => setImmediate(resolve));
      process.kill(running.pid, 'SIGUSR1');
      running.process.stdin?.on('error', () => undefined).end();
      expect((await soon('the end', running.ended)).stderr).not.toContain('Debugger');
    }
  });
});

describe('a signal while PAM opens the session', () => {
  /** A profile whose last session rule waits until the test lets it go on. */
  class SlowProfile {
    readonly directory = scratch();
    readonly gate = new Gate(this.directory);
    readonly recorded: RecordedProfile;

    constructor(type: 'open_session' | 'close_session') {
      const script = `: >${this.directory}/waits; ${this.gate.wait}`;
      this.recorded = new RecordedProfile(
        [],
        `session required pam_exec.so quiet type=${type} /bin/sh -c [${script}]`,
      );
    }

    async waits(): Promise<void> {
      await until('PAM waits', () => existsSync(join(this.directory, 'waits')));
    }
  }

  test.each([
    { signal: 'SIGTERM', status: 143 },
    { signal: 'SIGHUP', status: 129 },
    { signal: 'SIGINT', status: 130 },
    { signal: 'SIGQUIT', status: 131 },
  ] as const)('$signal closes it again and runs nothing', async ({ signal, status }) => {
    const slow = new SlowProfile('open_session');
    const running = watch(
      startOpen('-p', slow.recorded.name, '--cwd', slow.directory, 'alice', '--', 'touch', 'ran'),
    );
    await slow.waits();
    process.kill(running.pid, signal);
    slow.gate.open();
    expect(await soon('the end', running.ended)).toMatchObject({ status, stdout: '' });
    expect(slow.recorded.calls()).toEqual([
      'auth',
      'acct',
      'cred',
      'open',
      'close',
      'delete',
      'end status=26',
    ]);
    expect(existsSync(join(slow.directory, 'ran'))).toBe(false);
    expect(processesIn(slow.directory)).toEqual([]);
  });

  test('SIGUSR1 changes nothing', async () => {
    const slow = new SlowProfile('open_session');
    const running = watch(startOpen('-p', slow.recorded.name, 'alice', '--', 'echo', 'ran'));
    await slow.waits();
    process.kill(running.pid, 'SIGUSR1');
    slow.gate.open();
    expect(await soon('the end', running.ended)).toEqual({ status: 0, stdout: 'ran\n', stderr: '' });
  });

  test('SIGTERM while PAM closes the session does not cut that short', async () => {
    const slow = new SlowProfile('close_session');
    const running = watch(
      startOpen('-p', slow.recorded.name, '--on-exit', 'close', 'alice', '--', 'sh', '-c', 'exit 9'),
    );
    await slow.waits();
    process.kill(running.pid, 'SIGTERM');
    process.kill(running.pid, 'SIGHUP');
    slow.gate.open();
    expect(await soon('the end', running.ended)).toEqual({ status: 9, stdout: '', stderr: '' });
    expect(slow.recorded.calls().slice(3)).toEqual(['open', 'close', 'delete', 'end status=0']);
  });
});
