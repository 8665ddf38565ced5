// Closing the session when the command ends: as root, and only when nothing of its process group is left.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RecordedProfile, scratch } from '../support/profile';
import { Terminal } from '../support/pty';
import { type Outcome, type Running, run, startOpen } from '../support/tool';
import { endWatched, isAlive, processesIn, soon, stateOf, until, watch } from '../support/wait';

afterEach(() => {
  endWatched();
  Terminal.closeAll();
});

/** A place for a command, and a profile that writes down what lives there when the session is closed. */
class Place {
  readonly directory = scratch();
  readonly profile: RecordedProfile;

  constructor() {
    const hook = join(this.directory, 'hook');
    // A process lives in the place if that is its current directory; a zombie has none.
    const alive = `find /proc -mindepth 2 -maxdepth 2 -name cwd -lname ${this.directory} 2>/dev/null`;
    const script = ['#!/bin/sh', `exec >>${this.directory}/closed`, 'id -u', `${alive} | cut -d / -f 3`];
    writeFileSync(hook, `${script.join('\n')}\n`, { mode: 0o755 });
    this.profile = new RecordedProfile([], `session required pam_exec.so quiet type=close_session ${hook}`);
  }

  /** The words of an `open` whose command lives here. */
  words(options: readonly string[], ...command: string[]): string[] {
    return ['-p', this.profile.name, '--cwd', this.directory, ...options, 'alice', '--', ...command];
  }

  start(options: readonly string[], ...command: string[]): Running {
    return watch(startOpen(...this.words(options, ...command)));
  }

  /** Who the hook was, and the processes it found alive; undefined: it was not called. */
  closed(): { uid: number; alive: number[] } | undefined {
    const file = join(this.directory, 'closed');
    if (!existsSync(file)) return undefined;
    const [uid, ...alive] = readFileSync(file, 'utf8').trim().split('\n').map(Number);
    return { uid: uid ?? -1, alive };
  }

  /** What was done to the session after it was open. */
  undone(): string[] {
    const calls = this.profile.calls();
    return calls.slice(calls.indexOf('open') + 1);
  }

  /** The process ids that the command wrote into its directory, one a file. */
  pid(name: string): number {
    return Number(readFileSync(join(this.directory, name), 'utf8'));
  }

  async has(name: string): Promise<void> {
    await until(`the file ${name}`, () => {
      const file = join(this.directory, name);
      return existsSync(file) && readFileSync(file, 'utf8').endsWith('\n');
    });
  }
}

const CLOSE = ['--on-exit', 'close', '--stop-timeout', '0.3'];
const CLOSED = ['close', 'delete', 'end status=0'];
const end = (running: Running): Promise<Outcome> => soon('the end', running.ended);
const NOBODY = { uid: 0, alive: [] };

/** A shell with a child and a grandchild in its process group, each with output elsewhere. */
const FAMILY = 'sh -c "sleep 1000; true" >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 & echo $$; ';

describe('the session is closed as root after the command and its process group are dead', () => {
  test('when the command has ended by itself', async () => {
    const place = new Place();
    const outcome = await end(place.start(CLOSE, 'sh', '-c', `${FAMILY} exit 3`));
    expect(outcome).toMatchObject({ status: 3, stderr: '' });
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });

  test.each([
    { signal: 'SIGTERM', status: 143 },
    { signal: 'SIGHUP', status: 129 },
    { signal: 'SIGINT', status: 130 },
    { signal: 'SIGKILL', status: 137 },
  ] as const)('when $signal has ended the command', async ({ signal, status }) => {
    const place = new Place();
    const running = place.start(CLOSE, 'sh', '-c', `${FAMILY} while :; do sleep 0.02; done`);
    process.kill(Number.parseInt(await soon('the command runs', running.seen('\n')), 10), signal);
    expect(await end(running)).toMatchObject({ status });
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });

  test.each([
    { signal: 'SIGTERM', status: 143 },
    { signal: 'SIGHUP', status: 129 },
    { signal: 'SIGINT', status: 130 },
    { signal: 'SIGQUIT', status: 131 },
  ] as const)('when $signal to the supervisor has ended the command', async ({ signal, status }) => {
    const place = new Place();
    const running = place.start(CLOSE, 'sh', '-c', `ulimit -c 0; ${FAMILY} while :; do sleep 0.02; done`);
    await soon('the command runs', running.seen('\n'));
    process.kill(running.pid, signal);
    expect(await end(running)).toMatchObject({ status });
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });

  test('when a child of the command is stopped, which is continued to be ended', async () => {
    const place = new Place();
    const options = ['--on-exit', 'close', '--stop-timeout', '1000'];
    const script = 'sh -c "echo \\$\\$ >child; kill -STOP \\$\\$" >/dev/null 2>&1 & echo $$; read _; exit 6';
    const running = place.start(options, 'sh', '-c', script);
    await place.has('child');
    await until('the child is stopped', () => stateOf(place.pid('child')) === 'T');
    running.process.stdin?.end();
    expect(await end(running)).toMatchObject({ status: 6 });
    expect(place.closed()).toEqual(NOBODY);
  });

  test('also where the command and its children ignore SIGTERM and --stop-timeout has to pass', async () => {
    const place = new Place();
    const running = place.start(
      CLOSE,
      'sh',
      '-c',
      'trap "" TERM; sleep 1000 & echo $$; while :; do sleep 0.02; done',
    );
    await soon('the command runs', running.seen('\n'));
    const begin = Date.now();
    process.kill(running.pid, 'SIGTERM');
    expect(await end(running)).toMatchObject({ status: 137 });
    expect(Date.now() - begin).toBeGreaterThanOrEqual(290);
    expect(place.closed()).toEqual(NOBODY);
  });

  test('also where a grandchild ignores SIGTERM', async () => {
    const place = new Place();
    const grandchild = 'trap "" TERM; echo $$ >grandchild; while :; do sleep 0.02; done';
    const script = `sh -c '(${grandchild}) & sleep 1000' >/dev/null 2>&1 & while [ ! -s grandchild ]; do sleep 0.02; done; exit 2`;
    const begin = Date.now();
    expect(await end(place.start(CLOSE, 'sh', '-c', script))).toEqual({ status: 2, stdout: '', stderr: '' });
    expect(Date.now() - begin).toBeGreaterThanOrEqual(290);
    expect(place.closed()).toEqual(NOBODY);
  });

  test('also where each of five generations ignores SIGTERM', async () => {
    const place = new Place();
    const script =
      'trap "" TERM; if [ $1 = 0 ]; then echo $$ >last; else sh "$0" $(($1 - 1)) & fi; while :; do sleep 0.02; done';
    writeFileSync(join(place.directory, 'generations'), script);
    const command = 'sh generations 5 >/dev/null 2>&1 & while [ ! -s last ]; do sleep 0.02; done';
    expect(await end(place.start(CLOSE, 'sh', '-c', command))).toMatchObject({ status: 0 });
    expect(place.closed()).toEqual(NOBODY);
  });

  test('and descendants get the time of --stop-timeout to put their things in order', async () => {
    const place = new Place();
    const child = 'trap "sleep 0.1; echo done >child; exit" TERM; echo >ready; while :; do sleep 0.02; done';
    const command = `sh -c '${child}' >/dev/null 2>&1 & while [ ! -e ready ]; do sleep 0.02; done`;
    const options = ['--on-exit', 'close', '--stop-timeout', '20'];
    expect(await end(place.start(options, 'sh', '-c', command))).toMatchObject({ status: 0 });
    expect(readFileSync(join(place.directory, 'child'), 'utf8')).toBe('done\n');
    expect(place.closed()).toEqual(NOBODY);
  });

  test('and with a second SIGTERM to the supervisor while it waits for them', async () => {
    const place = new Place();
    const script =
      '(trap "" TERM; echo >ready; while :; do sleep 0.02; done) & while [ ! -e ready ]; do sleep 0.02; done; exit 8';
    const running = place.start(CLOSE, 'sh', '-c', script);
    await place.has('ready');
    process.kill(running.pid, 'SIGTERM');
    process.kill(running.pid, 'SIGTERM');
    await end(running);
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });
});

describe('the session is closed and', () => {
  test('a daemon in a session of its own is left alone', async () => {
    const place = new Place();
    const script =
      'setsid sh -c "echo \\$\\$ >daemon; exec sleep 1000" >/dev/null 2>&1 & while [ ! -s daemon ]; do sleep 0.02; done';
    expect(await end(place.start(CLOSE, 'sh', '-c', script))).toMatchObject({ status: 0, stderr: '' });
    const daemon = place.pid('daemon');
    expect(place.closed()).toEqual({ uid: 0, alive: [daemon] });
    expect(isAlive(daemon)).toBe(true);
    process.kill(daemon, 'SIGKILL');
  });

  test('a zombie that its parent, a daemon, does not collect does not hang it', async () => {
    const place = new Place();
    const script = [
      'use POSIX; if (fork) { select undef, undef, undef, 0.02 until -s "daemon"; exit 4 }',
      'exit 0 if !fork',
      'select undef, undef, undef, 0.02 until `ps -o stat= --ppid $$` =~ /Z/',
      'setsid; open F, ">daemon"; print F "$$\\n"; close F; close STDOUT; close STDERR; sleep 1000',
    ].join('; ');
    expect(await end(place.start(CLOSE, 'perl', '-e', script))).toMatchObject({ status: 4, stderr: '' });
    expect(place.closed()).toEqual({ uid: 0, alive: [place.pid('daemon')] });
    process.kill(place.pid('daemon'), 'SIGKILL');
  });

  test('a member of the process group is ended though its parent, a daemon, lives on', async () => {
    const place = new Place();
    const script = [
      'use POSIX; if (fork) { select undef, undef, undef, 0.02 until -s "daemon"; exit 4 }',
      'close STDOUT; close STDERR; sleep 1000, exit if !fork',
      'setsid; open F, ">daemon"; print F "$$\\n"; close F; sleep 1000',
    ].join('; ');
    expect(await end(place.start(CLOSE, 'perl', '-e', script))).toMatchObject({ status: 4, stderr: '' });
    expect(place.closed()).toEqual({ uid: 0, alive: [place.pid('daemon')] });
    process.kill(place.pid('daemon'), 'SIGKILL');
  });

  test('hundreds of short-lived orphans are collected', async () => {
    const place = new Place();
    const script =
      'for (1..300) { my $child = fork; if (!$child) { exit 0 if fork; exit 0 } waitpid $child, 0 } exit 5';
    expect(await end(place.start(CLOSE, 'perl', '-e', script))).toEqual({
      status: 5,
      stdout: '',
      stderr: '',
    });
    expect(place.closed()).toEqual(NOBODY);
  });

  test('no status is lost and nothing hangs where the command ends at once, fifty times', async () => {
    const place = new Place();
    const commands = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 'true' : 'false'));
    const statuses: number[] = [];
    for (let index = 0; index < 50; index += 5) {
      const batch = commands.slice(index, index + 5).map((command) => end(place.start(CLOSE, command)));
      statuses.push(...(await Promise.all(batch)).map(({ status }) => status));
    }
    expect(statuses).toEqual(commands.map((command) => (command === 'true' ? 0 : 1)));
    expect(place.profile.calls().filter((call) => call === 'close')).toHaveLength(50);
  });
});

describe('on a terminal, where the command shares the process group of the caller’s job,', () => {
  test('the command’s children are ended and the other members of the job are not', async () => {
    const place = new Place();
    const words = place.words(
      CLOSE,
      'sh',
      '-c',
      '"sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 & echo from the command"',
    );
    const terminal = Terminal.sh(
      `sleep 1001 & sibling=$!; "$TOOL" open ${words.join(' ')} | { cat; sleep 0.1; echo and the reader; }; kill -0 $sibling && echo the sibling lives`,
    );
    await terminal.sees('from the command');
    await terminal.sees('and the reader');
    await terminal.sees('the sibling lives');
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });

  test.each([
    { signal: 'SIGTERM', to: 'the supervisor', status: 143 },
    { signal: 'SIGKILL', to: 'the command', status: 137 },
    { signal: 'SIGTERM', to: 'the command', status: 143 },
  ] as const)('the same holds for $signal to $to', async ({ signal, to, status }) => {
    const place = new Place();
    const words = place.words(
      CLOSE,
      'sh',
      '-c',
      '"sleep 1000 & sleep 1000 & echo pid=\\$\\$ parent=\\$PPID.; while :; do sleep 0.02; done"',
    );
    const terminal = Terminal.sh(
      `sleep 1001 & sibling=$!; "$TOOL" open ${words.join(' ')}; echo status=$?; kill -0 $sibling && echo the sibling lives`,
    );
    const [, command, supervisor] =
      /pid=(\d+) parent=(\d+)\./.exec(await terminal.sees(/pid=\d+ parent=\d+\./)) ?? [];
    process.kill(Number(to === 'the command' ? command : supervisor), signal);
    await terminal.sees(`status=${status}`);
    await terminal.sees('the sibling lives');
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });

  test('the same holds where a child of the command ignores SIGTERM', async () => {
    const place = new Place();
    const script =
      'sh -c \'trap "" TERM; echo >ready; while :; do sleep 0.02; done\' & while [ ! -e ready ]; do sleep 0.02; done';
    writeFileSync(join(place.directory, 'script'), script);
    const terminal = Terminal.sh(
      `sleep 1001 & sibling=$!; "$TOOL" open ${place.words(CLOSE, 'sh', 'script').join(' ')}; echo status=$?; kill -0 $sibling && echo the sibling lives`,
    );
    await terminal.sees('status=0');
    await terminal.sees('the sibling lives');
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });

  test('Ctrl-C ends the command, and then the session is closed', async () => {
    const place = new Place();
    // Shells can miss SIGINT while they start a program: none is left when the key is pressed.
    const script = '(trap "" INT; exec sleep 1000) & exec sh -c "echo started; exec sleep 1000"';
    writeFileSync(join(place.directory, 'script'), script);
    const words = place.words(CLOSE, 'sh', 'script');
    const terminal = Terminal.sh(`trap : INT; "$TOOL" open ${words.join(' ')}; echo status=$?`);
    await terminal.sees('started');
    terminal.press('Ctrl-C');
    await terminal.sees('status=130');
    expect(place.closed()).toEqual(NOBODY);
    expect(place.undone()).toEqual(CLOSED);
  });
});

describe('the policy keep', () => {
  test('leaves the session open and children in the background alive, as su does', async () => {
    const place = new Place();
    const script = 'sleep 1000 >/dev/null 2>&1 & echo $!; exit 3';
    const outcome = await end(place.start(['--on-exit', 'keep'], 'sh', '-c', script));
    expect(outcome).toMatchObject({ status: 3, stderr: '' });
    expect(isAlive(Number(outcome.stdout))).toBe(true);
    expect(place.undone()).toEqual(['end status=0 silent']);
    expect(place.closed()).toBeUndefined();
    const su = run('su', ['-s', '/bin/sh', 'alice', '-c', script], { cwd: place.directory });
    expect(su).toMatchObject({ status: 3 });
    expect(isAlive(Number(su.stdout))).toBe(true);
    for (const pid of [outcome.stdout, su.stdout]) process.kill(Number(pid), 'SIGKILL');
  });

  test('still ends the whole process group after SIGTERM to the supervisor', async () => {
    const place = new Place();
    const running = place.start(
      ['--on-exit', 'keep', '--stop-timeout', '0.3'],
      'sh',
      '-c',
      `${FAMILY} while :; do sleep 0.02; done`,
    );
    await soon('the command runs', running.seen('\n'));
    process.kill(running.pid, 'SIGTERM');
    expect(await end(running)).toMatchObject({ status: 143 });
    expect(processesIn(place.directory)).toEqual([]);
    expect(place.closed()).toBeUndefined();
  });
});
