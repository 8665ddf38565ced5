// Questions to the person at the terminal; the answer goes into a Secret.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { getpgrp, poll, tcflush, tcgetattr, tcgetpgrp, tcsetattr } from '../ffi/libc';
import { offHeap } from '../ffi/memory';
import { Secret } from './secret';
import { type SignalName, whileIgnoring, whileWatching } from './signals';

const TCSAFLUSH = 2;
const TCSADRAIN = 1;
const TCIFLUSH = 0;
const ECHO = 0o10;
const ECHONL = 0o100;
const POLLIN = 1;

/** Where c_lflag lies in glibc's struct termios (termios(3)). */
const LOCAL_FLAGS = 12;

/** Whether there is a terminal to ask at: the controlling terminal, wherever standard input comes from. */
export function hasTerminal(): boolean {
  try {
    closeSync(openTerminal());
    return true;
  } catch {
    return false;
  }
}

function openTerminal(): number {
  return openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY);
}

export interface Question {
  readonly text: string;
  /** Whether what is typed may be seen. */
  readonly echo: boolean;
  readonly allowSwap: boolean;
  /** Whether no answer is an answer: a module may say "or Enter for a push". */
  readonly mayBeEmpty: boolean;
}

/** The signals that a question waits for as well: whoever asks catches them. */
export const QUESTION_SIGNALS: readonly SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/**
 * Asks and waits for a line. Undefined where a signal that would end this process came instead; the
 * terminal's settings are back in any case. No JavaScript runs meanwhile, because modules ask in the middle
 * of libpam's calls: what has arrived is seen by the signals' dispositions. The caller must be catching
 * QUESTION_SIGNALS. Throws `secret` failures.
 */
export function ask(question: Question): Secret | undefined {
  const secret = Secret.allocate({ allowSwap: question.allowSwap });
  let answered = false;
  try {
    const fd = openTerminal();
    try {
      answered = askOn(fd, question, secret);
    } finally {
      closeSync(fd);
    }
    return answered ? secret : undefined;
  } finally {
    if (!answered) secret.wipe();
  }
}

function askOn(fd: number, { text, echo, mayBeEmpty }: Question, secret: Secret): boolean {
  const before = offHeap(256);
  tcgetattr(fd, before);
  let complete = false;
  // SIGTSTP as in pam_misc's misc_conv: not every shell would hide the typing again after Ctrl-Z and fg.
  return whileIgnoring(['SIGTSTP'], () =>
    whileWatching(QUESTION_SIGNALS, (hasArrived) => {
      try {
        if (!echo) hideTyping(fd, before);
        write(fd, text);
        const awaitByte = (): boolean => waitForInput(fd, hasArrived);
        complete = secret.readLine({ fd, name: 'the terminal', whole: false, mayBeEmpty, awaitByte });
        return complete;
      } finally {
        // What is left of a line that was too long must not reach the shell.
        if (!complete) tcflush(fd, TCIFLUSH);
        if (!echo) showTyping(fd, before);
      }
    }),
  );
}

/** The terminal may have hung up. */
function write(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch {
    // Then waiting for a line ends at once.
  }
}

function hideTyping(fd: number, before: Buffer): void {
  const quiet = offHeap(256);
  before.copy(quiet);
  quiet.writeUInt32LE((before.readUInt32LE(LOCAL_FLAGS) & ~(ECHO | ECHONL)) >>> 0, LOCAL_FLAGS);
  tcsetattr(fd, TCSAFLUSH, quiet);
}

function showTyping(fd: number, before: Buffer): void {
  if (tcgetpgrp(fd) === getpgrp()) whileIgnoring(['SIGTTOU'], () => tcsetattr(fd, TCSADRAIN, before));
  write(fd, '\n');
}

/** Milliseconds between two looks for a signal that another thread has taken. */
const LOOK_AGAIN = 100;

/** False where a signal came first. */
function waitForInput(fd: number, hasArrived: () => boolean): boolean {
  const request = offHeap(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(POLLIN, 4);
  while (!hasArrived()) {
    if (poll(request, 1, LOOK_AGAIN) > 0) return true;
  }
  return false;
}
