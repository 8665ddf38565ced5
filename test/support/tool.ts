// Runs the built command, and what it is compared with, as a user would.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';

/** The launcher of the built command. */
export const TOOL = join(__dirname, '../../bin/rsession-pam');

export interface Outcome {
  /** The exit status as a shell shows it: 128+n for a signal. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

const ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: '/root',
  TERM: 'dumb',
  LANG: 'C.UTF-8',
};

/** Runs a program to its end. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Outcome {
  const result = spawnSync(file, args, {
    cwd: options.cwd ?? '/',
    env: { ...ENVIRONMENT, ...options.env },
    input: options.input ?? '',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (result.error !== undefined) throw result.error;
  return { status: shellStatus(result.status, result.signal), stdout: result.stdout, stderr: result.stderr };
}

/** Runs `rsession-pam` with these words. */
export function tool(...args: string[]): Outcome {
  return run(TOOL, args);
}

/** Runs `rsession-pam open` with these words. */
export function open(...args: string[]): Outcome {
  return run(TOOL, ['open', ...args]);
}

/** Runs a script of sh as root: for what needs a special caller (limits, closed descriptors, nohup). */
export function shell(script: string, options: RunOptions = {}): Outcome {
  return run('/bin/sh', ['-c', script], { ...options, env: { TOOL, ...options.env } });
}

/** A program that is running while the test does something. */
export interface Running {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves when the text has appeared on standard output. */
  seen(text: string | RegExp): Promise<string>;
  readonly ended: Promise<Outcome>;
}

const started = new Set<ChildProcess>();

// A test that failed half-way must not leave programs that keep jest waiting.
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
});

/** Starts a program without waiting for it. */
export function start(file: string, args: readonly string[], options: SpawnOptions = {}): Running {
  const child = spawn(file, args, {
    cwd: '/',
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...options,
  });
  started.add(child);
  child.on('close', () => started.delete(child));
  let stdout = '';
  let stderr = '';
  const waiting: { text: string | RegExp; resolve: (output: string) => void }[] = [];
  const check = (): void => {
    for (const waiter of [...waiting]) {
      if (typeof waiter.text === 'string' ? stdout.includes(waiter.text) : waiter.text.test(stdout)) {
        waiting.splice(waiting.indexOf(waiter), 1);
        waiter.resolve(stdout);
      }
    }
  };
  child.stdout?.setEncoding('utf8').on('data', (data: string) => {
    stdout += data;
    check();
  });
  child.stderr?.setEncoding('utf8').on('data', (data: string) => {
    stderr += data;
  });
  return {
    process: child,
    pid: child.pid ?? 0,
    seen: (text) =>
      new Promise((resolve) => {
        waiting.push({ text, resolve });
        check();
      }),
    ended: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ status: shellStatus(code, signal), stdout, stderr }));
    }),
  };
}

/** Starts `rsession-pam open` with these words. */
export function startOpen(...args: string[]): Running {
  return start(TOOL, ['open', ...args]);
}

function shellStatus(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
