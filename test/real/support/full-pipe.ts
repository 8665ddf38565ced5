// Stops a program at its first word on standard error, with all of its memory as it is then.
import '../../support/throwaway';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../../support/profile';
import { until } from '../../support/wait';

/** A pipe that is full: whoever writes to it waits until somebody reads. */
export class FullPipe {
  /** To be given to the program. */
  readonly writer: number;
  readonly #pipe: number;
  readonly #filling: number;

  constructor() {
    const path = join(scratch(), 'pipe');
    execFileSync('mkfifo', ['-m', '666', path]);
    this.#pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.writer = openSync(path, 'w');
    this.#filling = fill(this.#pipe);
  }

  /** Resolves when the program waits in write(2) on descriptor 2. */
  async holds(pid: number): Promise<void> {
    await until('the program writes to standard error', () => {
      try {
        return /^(1|64) 0x2 /.test(readFileSync(`/proc/${pid}/syscall`, 'latin1'));
      } catch {
        return false;
      }
    });
  }

  /** Lets the program go on; what it has written when `ended` resolves is returned. */
  async release(ended: Promise<unknown>): Promise<string> {
    closeSync(this.writer);
    let read = '';
    let isOver = false;
    void ended.finally(() => {
      isOver = true;
    });
    do {
      await new Promise((resolve) => setTimeout(resolve, 1));
      read += drain(this.#pipe);
    } while (!isOver);
    read += drain(this.#pipe);
    closeSync(this.#pipe);
    return read.slice(this.#filling);
  }
}

function fill(pipe: number): number {
  let written = 0;
  for (const size of [4096, 1]) {
    try {
      for (;;) written += writeSync(pipe, Buffer.alloc(size, '.'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
  return written;
}

function drain(pipe: number): string {
  const buffer = Buffer.alloc(65_536);
  try {
    return buffer.toString('latin1', 0, readSync(pipe, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    return '';
  }
}
