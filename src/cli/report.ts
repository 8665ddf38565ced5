// Everything a person reads: lines on standard error, answers on standard output; the only user of chalk.
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { ChalkInstance } from 'chalk';
import type { Failure } from '../errors';

const NAME = 'rsession-pam';
const STDOUT = 1;
const STDERR = 2;

let styles: ChalkInstance | undefined;

/** Colours for standard error: none where it is no terminal or NO_COLOR is set. */
function style(): ChalkInstance {
  if (styles === undefined) {
    const { Chalk } = require('chalk') as typeof import('chalk');
    styles = new Chalk({ level: isatty(STDERR) && !process.env.NO_COLOR ? 1 : 0 });
  }
  return styles;
}

/** A failure: one line with what, where and why, and one with the remedy where we know it. */
export function reportFailure(failure: Failure, describeSignal: (signal: number) => string): void {
  const signal = failure.signal === undefined ? '' : ` ${describeSignal(failure.signal)}`;
  writeAll(STDERR, `${style().red(`${NAME}:`)} ${failure.message}${signal}\n`);
  if (failure.hint !== undefined) writeAll(STDERR, `${style().yellow('hint:')} ${failure.hint}\n`);
}

/** A warning: what happens goes on all the same. */
export function reportWarning(text: string): void {
  writeAll(STDERR, `${style().yellow(`${NAME}: warning:`)} ${text}\n`);
}

/** What a PAM module has to say, as it said it. */
export function reportMessage(text: string): void {
  writeAll(STDERR, `${text}\n`);
}

/** A step of --verbose. */
export function reportStep(step: string, outcome: string): void {
  writeAll(STDERR, `${style().dim(`${NAME}: ${step}: ${outcome}`)}\n`);
}

/** How a command ended that a signal killed. */
export function reportSignal(command: string, signal: string, coreDumped: boolean): void {
  writeAll(STDERR, `${NAME}: ${command}: ended by ${signal}${coreDumped ? ', core dumped' : ''}\n`);
}

/** An answer that was asked for, on standard output. */
export function answer(text: string): void {
  writeAll(STDOUT, text.endsWith('\n') ? text : `${text}\n`);
}

/** Rows of two and more columns, aligned. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Writes without Node's streams: they make the caller's pipe or terminal non-blocking, for its other users
 * as well. What cannot be written (a full disk, a closed pipe) is lost; it must not change what we do.
 */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
  }
}
