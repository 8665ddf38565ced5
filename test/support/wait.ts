// Waiting for what happens outside, and looking at processes; nothing here sleeps longer than it has to.
import { type ChildProcess, execFileSync } from 'node:child_process';
import { openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Running } from './tool';

const DEADLINE = 20_000;

/** Resolves when the condition holds; fails after twenty seconds and says what did not happen. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`this did not happen in ${DEADLINE / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The same, for what a promise tells. */
export async function soon<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`this did not happen in ${DEADLINE / 1000} s: ${what}`)),
      DEADLINE,
    );
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** A process's state as proc(5) writes it: R running, S sleeping, T stopped, Z zombie; undefined: it is gone. */
export function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch {
    return undefined;
  }
}

/** Whether a process lives, which a zombie does not. */
export function isAlive(pid: number): boolean {
  return !['Z', 'X', undefined].includes(stateOf(pid));
}

/** The processes whose current directory this is: a command that was started there, and its descendants. */
export function processesIn(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === directory;
      } catch {
        return false;
      }
    });
}

/**
 * Holds a script of sh back until the test lets it go on. Where keys stop a script this is better than a loop with
 * sleep(1): a shell that is stopped while it starts a program, with vfork(2), does not stop at all.
 */
export class Gate {
  /** What the script does to wait. */
  readonly wait: string;
  readonly #fifo: number;

  constructor(directory: string) {
    const path = join(directory, 'gate');
    execFileSync('mkfifo', ['-m', '666', path]);
    // For reading and writing: so neither side waits for the other one to open it.
    this.#fifo = openSync(path, 'r+');
    this.wait = `read _ <${path}`;
  }

  open(): void {
    writeSync(this.#fifo, '\n');
  }
}

const watched = new Set<ChildProcess>();

/** Marks a program that is to be ended by `endWatched` if a failing test leaves it behind. */
export function watch(running: Running): Running {
  watched.add(running.process);
  return running;
}

/** For afterEach: nothing that is still running keeps the test runner waiting. */
export function endWatched(): void {
  for (const child of watched) {
    child.kill('SIGKILL');
    for (const stream of child.stdio) stream?.destroy();
  }
  watched.clear();
}
