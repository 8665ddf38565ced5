// A session on a terminal: keys, job control, the terminal's settings, and who leads what.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainProfile, scratch } from '../support/profile';
import { PROMPT, Terminal } from '../support/pty';
import { run, TOOL } from '../support/tool';
import { Gate, isAlive, processesIn, stateOf, until } from '../support/wait';

const profile = plainProfile();
const OPEN = `"$TOOL" open -p ${profile}`;
const R = `${OPEN} alice -- R --quiet --no-save`;
const TELL_PID = 'cat("pid=", Sys.getpid(), "\\n", sep = "")';

afterEach(Terminal.closeAll);

/** The process id that a program wrote as `pid=…`. */
async function pidIn(terminal: Terminal): Promise<number> {
  return Number(/pid=(\d+)\D$/.exec(await terminal.sees(/pid=\d+\D/))?.[1]);
}

describe('interactive R', () => {
  test('computes, is interrupted by Ctrl-C, goes on, and returns to the shell at q()', async () => {
    const terminal = await Terminal.bash();
    terminal.type(R);
    await terminal.sees('> ');
    terminal.type('cat("in", "the loop\\n"); repeat {}');
    await terminal.sees('in the loop');
    terminal.press('Ctrl-C');
    await terminal.sees('\n> ');
    terminal.type('6 * 7');
    await terminal.sees('[1] 42');
    terminal.type('q()');
    await terminal.sees(`\n${PROMPT}`);
    expect(await terminal.answers('echo $?')).toBe('0');
  });

  test('survives Ctrl-C at its prompt and ends at Ctrl-D', async () => {
    const terminal = await Terminal.bash();
    terminal.type(R);
    await terminal.sees('> ');
    terminal.press('Ctrl-C');
    await terminal.sees('\n> ');
    terminal.type('6 * 7');
    await terminal.sees(/\[1\] 42\s+> /);
    terminal.press('Ctrl-D');
    await terminal.sees(`\n${PROMPT}`);
    expect(await terminal.answers('echo $?')).toBe('0');
  });

  test('stops at Ctrl-Z, is a job of the shell, and goes on with fg', async () => {
    const terminal = await Terminal.bash();
    terminal.type(R);
    await terminal.sees('> ');
    terminal.type(TELL_PID);
    const pid = await pidIn(terminal);
    await terminal.sees('> ');
    for (const result of [42, 43]) {
      terminal.press('Ctrl-Z');
      await terminal.sees(/Stopped[^\n]*\n/);
      await terminal.sees(PROMPT);
      expect(stateOf(pid)).toBe('T');
      expect(await terminal.answers('jobs')).toMatch(/^\[1\]\+ +Stopped .* open /);
      terminal.type('fg');
      await terminal.sees('alice -- R');
      terminal.type(`${result} + 0`);
      await terminal.sees(`[1] ${result}`);
      await terminal.sees('> ');
    }
    terminal.type('q("no", 6)');
    await terminal.sees(`\n${PROMPT}`);
    expect(await terminal.answers('echo $?')).toBe('6');
  });

  test('that is killed leaves the terminal as it was, also where no shell sees to that', async () => {
    const terminal = Terminal.sh(`${R}; echo "status=$?"; read line; echo "got $line"`);
    await terminal.sees('> ');
    terminal.type(TELL_PID);
    const pid = await pidIn(terminal);
    await terminal.sees('> ');
    expect(terminal.settings()).toEqual(expect.arrayContaining(['-icanon', '-echo']));
    process.kill(pid, 'SIGKILL');
    await terminal.sees('status=137');
    expect(terminal.settings()).toEqual(
      expect.arrayContaining(['icanon', 'echo', 'isig', 'icrnl', 'opost', 'onlcr']),
    );
    terminal.type('on');
    await terminal.sees('got on');
  });

  test('learns the size of the window and its changes', async () => {
    const terminal = new Terminal(TOOL, ['open', '-p', profile, 'alice', '--', 'R', '--quiet', '--no-save']);
    await terminal.sees('> ');
    terminal.type('system("stty size")');
    await terminal.sees('30 100');
    terminal.resize(77, 22);
    terminal.type('system("stty size")');
    await terminal.sees('22 77');
  });
});

describe('the terminal', () => {
  test.each([
    { way: 'open', command: `${OPEN} alice -- sh -c` },
    { way: 'su', command: 'su -s /bin/sh alice --session-command' },
  ])('keeps what a command made of it, with $way', async ({ command }) => {
    const terminal = Terminal.sh(`${command} 'stty -echo -ixon; exit 3'; echo "status=$?"; read line`);
    await terminal.sees('status=3');
    expect(terminal.settings()).toEqual(expect.arrayContaining(['-echo', '-ixon', 'icanon']));
  });

  test('is left alone when a command in the background is killed', async () => {
    const terminal = await Terminal.bash();
    terminal.type(`${OPEN} alice -- sh -c 'echo pid=$$; exec sleep 1000' &`);
    const pid = await pidIn(terminal);
    // A program in the foreground has its own settings, as an editor has.
    terminal.type(
      'sh -c \'stty -echo -icanon; echo raw"mode"; while kill -0 $0; do sleep 0.02; done; echo end"ed"; read x\' $!',
    );
    await terminal.sees('rawmode');
    process.kill(pid, 'SIGKILL');
    await terminal.sees('ended');
    expect(terminal.settings()).toEqual(expect.arrayContaining(['-echo', '-icanon']));
  });

  test('tells a command about a new size of the window', async () => {
    const script = 'trap "stty size" WINCH; echo ready; while :; do sleep 0.02; done';
    const terminal = new Terminal(TOOL, ['open', '-p', profile, 'alice', '--', 'sh', '-c', script]);
    await terminal.sees('ready');
    terminal.resize(61, 17);
    await terminal.sees('17 61');
  });

  test('that hangs up ends the command and the supervisor', async () => {
    const terminal = await Terminal.bash();
    terminal.type(`${OPEN} alice -- sh -c 'echo pid=$$ parent=$PPID.; exec sleep 1000'`);
    const pid = await pidIn(terminal);
    const supervisor = Number(/parent=(\d+)\./.exec(await terminal.sees(/parent=\d+\./))?.[1]);
    Terminal.closeAll();
    await until('both are gone', () => !isAlive(pid) && !isAlive(supervisor));
  });
});

describe('job control', () => {
  test('Ctrl-Z and bg let a command go on in the background', async () => {
    const gate = new Gate(scratch());
    const terminal = await Terminal.bash();
    terminal.type(`${OPEN} alice -- sh -c 'echo pid=$$; ${gate.wait}; echo "finished"; exit 4'`);
    const pid = await pidIn(terminal);
    terminal.press('Ctrl-Z');
    await terminal.sees(/Stopped[^\n]*\n/);
    await terminal.sees(PROMPT);
    expect(stateOf(pid)).toBe('T');
    expect(await terminal.answers('bg')).toMatch(/^\[1\]\+ .*&$/);
    await until('the command goes on', () => stateOf(pid) !== 'T');
    expect(await terminal.answers('jobs')).toMatch(/^\[1\]\+ +Running /);
    gate.open();
    terminal.type('wait %1; echo "status=$?"');
    await terminal.sees('finished');
    await terminal.sees('status=4');
  });

  test.each([
    { key: 'Ctrl-C', status: 130 },
    { key: 'Ctrl-\\', status: 131 },
  ] as const)('$key ends a command and its children', async ({ key, status }) => {
    const directory = scratch();
    const terminal = await Terminal.bash();
    terminal.type(
      `${OPEN} --cwd ${directory} alice -- sh -c 'ulimit -c 0; sh -c "echo; exec sleep 1000" | sh -c "read _; echo pid=\\$\\$; exec sleep 1000"; true'`,
    );
    await pidIn(terminal);
    // The shell waits, its children sleep.
    terminal.press(key);
    await terminal.sees(`\n${PROMPT}`);
    expect(await terminal.answers('echo $?')).toBe(String(status));
    await until('all are gone', () => processesIn(directory).length === 0);
  });

  test('a command in the background that reads from the terminal is stopped until fg', async () => {
    const terminal = await Terminal.bash();
    terminal.type(`${OPEN} alice -- sh -c 'echo pid=$$; read line; echo "got <$line>"; exit 5' &`);
    const pid = await pidIn(terminal);
    await until('the command is stopped', () => stateOf(pid) === 'T');
    while (!(await terminal.answers('jobs')).includes('Stopped'));
    terminal.type('fg');
    await terminal.sees('exit 5');
    terminal.type('hello');
    await terminal.sees('got <hello>');
    await terminal.sees(PROMPT);
    expect(await terminal.answers('echo $?')).toBe('5');
  });

  test('a command in the background that only writes runs to its end', async () => {
    const terminal = await Terminal.bash();
    terminal.type(`${OPEN} alice -- sh -c 'echo "from the" background; exit 5' &`);
    await terminal.sees('from the background');
    terminal.type('wait %1; echo "status=$?"');
    await terminal.sees('status=5');
  });

  test('an interactive shell in the session has job control of its own', async () => {
    const terminal = await Terminal.bash();
    terminal.type(`${OPEN} --env PS1='inner: ' alice -- bash --norc --noprofile --noediting -i`);
    await terminal.sees('inner: ');
    terminal.type("sh -c 'echo pid=$$; exec sleep 1000'");
    const pid = await pidIn(terminal);
    terminal.press('Ctrl-Z');
    await terminal.sees(/Stopped[^\n]*\n/);
    await terminal.sees('inner: ');
    terminal.type('fg');
    await until('it goes on', () => stateOf(pid) !== 'T');
    terminal.press('Ctrl-C');
    await terminal.sees('inner: ');
    terminal.type('exit 7');
    await terminal.sees(PROMPT);
    expect(await terminal.answers('echo $?')).toBe('7');
  });

  test('the rest of the caller’s job outlives the command', async () => {
    const terminal = await Terminal.bash();
    terminal.type(`${OPEN} --on-exit close alice -- echo early | { cat; sleep 0.1; echo "and" late; }`);
    await terminal.sees('early');
    await terminal.sees('and late');
    await terminal.sees(PROMPT);
    expect(await terminal.answers('echo $?')).toBe('0');
  });
});

describe('with a pipe as standard input and the terminal at hand', () => {
  test('Ctrl-C ends the command', async () => {
    const terminal = await Terminal.bash();
    terminal.type(`echo x | ${OPEN} alice -- sh -c 'echo pid=$$; exec sleep 1000'`);
    const pid = await pidIn(terminal);
    terminal.press('Ctrl-C');
    await terminal.sees(`\n${PROMPT}`);
    expect(await terminal.answers('echo $?')).toBe('130');
    expect(isAlive(pid)).toBe(false);
  });

  test('Ctrl-C ends a shell that waits for a program, and the program', async () => {
    const terminal = await Terminal.bash();
    terminal.type(
      `echo x | ${OPEN} alice -- bash -c 'sh -c "echo pid=\\$\\$; exec sleep 1000"; echo "not" reached'`,
    );
    const pid = await pidIn(terminal);
    terminal.press('Ctrl-C');
    const seen = await terminal.sees(`\n${PROMPT}`);
    expect(seen).not.toContain('not reached');
    expect(isAlive(pid)).toBe(false);
  });

  test('Ctrl-Z stops it and fg continues it', async () => {
    const gate = new Gate(scratch());
    const terminal = await Terminal.bash();
    terminal.type(`echo 'pi'ped | ${OPEN} alice -- sh -c 'echo pid=$$; ${gate.wait}; cat; exit 4'`);
    const pid = await pidIn(terminal);
    terminal.press('Ctrl-Z');
    await terminal.sees(/Stopped/);
    await terminal.sees(PROMPT);
    expect(stateOf(pid)).toBe('T');
    terminal.type('fg');
    await until('the command goes on', () => stateOf(pid) !== 'T');
    gate.open();
    await terminal.sees('piped\r\n');
    await terminal.sees(PROMPT);
    expect(await terminal.answers('echo $?')).toBe('4');
  });
});

describe('session, process group and controlling terminal', () => {
  /** Tells how the process stands to its parent; a shell for su as well (proc(5), /proc/pid/stat). */
  const directory = scratch();
  const probe = join(directory, 'probe');
  writeFileSync(
    probe,
    [
      '#!/bin/sh',
      'of() { sed "s/.*) //" /proc/$1/stat; }',
      'set -- $(of $$) : $(of $PPID)',
      'while [ "$1" != : ]; do own="$own $1"; shift; done; shift',
      'parent_group=$3 parent_session=$4 parent_tty=$5',
      'set -- $own',
      'echo "leads a session: $([ $4 = $$ ] && echo yes || echo no)"',
      'echo "leads its group: $([ $3 = $$ ] && echo yes || echo no)"',
      'echo "group of its parent: $([ $3 = $parent_group ] && echo yes || echo no)"',
      'echo "session of its parent: $([ $4 = $parent_session ] && echo yes || echo no)"',
      'echo "terminal: $([ $5 = 0 ] && echo none || { [ $5 = $parent_tty ] && echo same || echo other; })"',
      'echo "in the foreground: $([ $6 = $3 ] && echo yes || echo no)"',
      'echo "fd 0 is $(tty)"',
    ].join('\n'),
    { mode: 0o755 },
  );
  const inCallersSession = [
    'leads a session: no',
    'leads its group: no',
    'group of its parent: yes',
    'session of its parent: yes',
    'terminal: same',
    'in the foreground: yes',
    expect.stringMatching(/^fd 0 is \/dev\/pts\/\d+$/),
  ];
  const inItsOwn = [
    'leads a session: yes',
    'leads its group: yes',
    'group of its parent: no',
    'session of its parent: no',
    'terminal: none',
    'in the foreground: no',
    'fd 0 is not a tty',
  ];

  test.each([
    { way: 'open', command: `${OPEN} alice -- ${probe}` },
    { way: 'su with an interactive shell', command: `su -s ${probe} alice` },
    { way: 'su --session-command', command: `su -s /bin/sh alice --session-command 'exec ${probe}'` },
  ])('are those of the caller on a terminal, with $way', async ({ command }) => {
    const terminal = await Terminal.bash();
    expect((await terminal.answers(command)).split('\n')).toEqual(inCallersSession);
  });

  test.each([
    { way: 'open', words: [TOOL, 'open', '-p', profile, 'alice', '--', probe] },
    { way: 'su --command', words: ['su', '-s', '/bin/sh', 'alice', '-c', `exec ${probe}`] },
  ])('are the command’s own without a terminal, with $way', ({ words: [file = '', ...args] }) => {
    expect(run(file, args).stdout.trimEnd().split('\n')).toEqual(inItsOwn);
  });

  test.each([
    { way: 'open', command: `echo x | ${OPEN} alice -- ${probe}` },
    { way: 'su --command', command: `echo x | su -s /bin/sh alice -c 'exec ${probe}'` },
  ])('are the command’s own with a pipe as standard input, with $way', async ({ command }) => {
    const terminal = await Terminal.bash();
    expect((await terminal.answers(command)).split('\n')).toEqual(inItsOwn);
  });
});
