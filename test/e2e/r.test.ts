// R itself in a session: its arguments, its streams, its own handling of signals.
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { plainProfile, scratch } from '../support/profile';
import { open, run, shell, startOpen, TOOL } from '../support/tool';
import { endWatched, soon, watch } from '../support/wait';

const profile = plainProfile();
const R = ['-p', profile, 'alice', '--', 'R', '--no-echo', '--no-save'];

afterEach(endWatched);

describe('R in a session', () => {
  test('tells its version', () => {
    const outcome = open('-p', profile, 'alice', '--', 'R', '--version');
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(outcome.stdout).toMatch(/^R version \d/);
  });

  test('is the command where none is given', () => {
    const outcome = open('-p', profile, 'alice');
    // Without a terminal R refuses to guess what to do with its workspace.
    expect(outcome).toMatchObject({ status: 2, stdout: '' });
    expect(outcome.stderr).toContain("you must specify '--save', '--no-save' or '--vanilla'");
  });

  test.each([0, 1, 2, 3, 255])('ends with the status %i that it was told', (status) => {
    expect(open(...R, '-e', `quit(status=${status})`)).toEqual({ status, stdout: '', stderr: '' });
  });

  test('fails as R fails when a script does', () => {
    const outcome = open(...R, '-e', 'stop("no data")');
    expect(outcome).toEqual({ status: 1, stdout: '', stderr: 'Error: no data\nExecution halted\n' });
  });

  test('is the user that was asked for', () => {
    const expression = 'cat(Sys.info()[["effective_user"]], Sys.getenv("HOME"), path.expand("~"))';
    expect(open(...R, '-e', expression).stdout).toBe('alice /home/alice /home/alice');
  });

  test('runs a script on standard input', () => {
    const input = 'x <- 6\ncat(x * 7, "\\n", sep = "")\nquit(status = 4)\n';
    expect(run(TOOL, ['open', ...R], { input })).toEqual({ status: 4, stdout: '42\n', stderr: '' });
  });

  test('gets the arguments of a script exactly', () => {
    const words = ['two words', '*', "it's", '"', '$HOME', '', 'ä'];
    const script = 'cat(deparse(commandArgs(TRUE)), "\\n")';
    const outcome = open('-p', profile, 'alice', '--', 'Rscript', '-e', script, ...words);
    expect(outcome).toEqual({ ...run('Rscript', ['-e', script, ...words]), status: 0 });
    expect(outcome.stdout).toContain('two words');
  });

  test('interrupts what it computes at SIGINT, and goes on', async () => {
    const script =
      'cat("computing\\n"); tryCatch(repeat {}, interrupt = function(e) cat("interrupted\\n")); cat("alive\\n")';
    const running = watch(startOpen(...R, '-e', script));
    await soon('R computes', running.seen('computing'));
    process.kill(running.pid, 'SIGINT');
    expect(await soon('R ends', running.ended)).toEqual({
      status: 0,
      stdout: 'computing\ninterrupted\nalive\n',
      stderr: '',
    });
  });

  test.each([
    { signal: 'SIGUSR1', last: true, status: 2, how: 'with .Last' },
    { signal: 'SIGUSR2', last: false, status: 0, how: 'without .Last' },
  ] as const)('saves its image and quits at $signal $how', async ({ signal, last, status }) => {
    const directory = scratch();
    const script = 'answer <- 42; .Last <- function() cat("bye"); cat("ready\\n"); Sys.sleep(100)';
    const running = watch(startOpen('--cwd', directory, ...R, '-e', script));
    await soon('R is ready', running.seen('ready'));
    process.kill(running.pid, signal);
    const outcome = await soon('R ends', running.ended);
    expect(outcome).toMatchObject({ status, stderr: '' });
    expect(outcome.stdout.endsWith('bye')).toBe(last);
    const load = ['R', '--no-echo', '--restore', '--no-save', '-e', 'cat(answer); rm(.Last)'];
    expect(open('--cwd', directory, '-p', profile, 'alice', '--', ...load).stdout).toBe('42');
    expect(statSync(join(directory, '.RData')).uid).toBe(2001);
  });
});

describe('100 MB of all kinds of bytes', () => {
  const directory = scratch();
  const data = join(directory, 'data');
  const hashOf = (command: string): string =>
    shell(`${command} | sha256sum`, { env: { data, profile } }).stdout;
  const copy = [
    'input <- file("stdin", "rb")',
    'output <- pipe("cat", "wb")',
    'while (length(block <- readBin(input, "raw", 2^20)) > 0) writeBin(block, output)',
    'invisible(close(output))',
  ].join('; ');

  beforeAll(() => {
    execFileSync('/bin/sh', ['-c', `head -c 100000000 /dev/urandom >${data}`]);
  });

  test.each([
    { way: 'a pipe into cat', command: 'cat "$data" | "$TOOL" open -p "$profile" alice -- cat' },
    { way: 'a file into cat', command: '"$TOOL" open -p "$profile" alice -- cat <"$data"' },
    {
      way: 'a pipe into R',
      command: `cat "$data" | "$TOOL" open -p "$profile" alice -- R --no-echo --no-save -e '${copy}'`,
    },
  ])('pass through $way unchanged', ({ command }) => {
    expect(hashOf(command)).toBe(hashOf('cat "$data"'));
  });
});
