// Questions to the person at the terminal; the answer goes into a Secret.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { getpgrp, poll, tcflush, tcgetattr, tcgetpgrp, tcsetattr } from '../ffi/libc';
import { offHeap } from '../ffi/memory';
import { Secret } from './secret';
import { type SignalName, whileElsewhere, whileIgnoring } from './signals';

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
}

/**
 * Asks and waits for a line. Undefined where a signal that would end this process came instead; the
 * terminal's settings are back in any case. It waits with poll(2), which such a signal interrupts, because
 * no JavaScript runs meanwhile: modules ask in the middle of libpam's calls. The caller must be catching the
 * ending signals (see QUESTION_SIGNALS). Throws `secret` failures.
 */
export function ask({ text, echo, allowSwap }: Question): Secret | undefined {
  const secret = Secret.allocate({ allowSwap });
  let answered = false;
  try {
    const fd = openTerminal();
    try {
      answered = askOn(fd, { text, echo }, secret);
    } finally {
      closeSync(fd);
    }
    return answered ? secret : undefined;
  } finally {
    if (!answered) secret.wipe();
  }
}

/** The signals that a question waits for as well: whoever asks catches them. */
export const QUESTION_SIGNALS: readonly SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** What may be caught at the same time and must not end a question. */
const OTHER_SIGNALS: readonly SignalName[] = ['SIGWINCH', 'SIGCONT', 'SIGUSR1', 'SIGUSR2', 'SIGCHLD'];

function askOn(fd: number, { text, echo }: { text: string; echo: boolean }, secret: Secret): boolean {
  const before = offHeap(256);
  tcgetattr(fd, before);
  const readAnswer = (): boolean => {
    write(fd, text);
    if (!waitForLine(fd)) return false;
    secret.readLine({ fd, name: 'the terminal', whole: false });
    return true;
  };
  // As pam_misc's misc_conv: not every shell would hide the typing again after Ctrl-Z and fg.
  return whileIgnoring(['SIGTSTP'], () =>
    whileElsewhere(OTHER_SIGNALS, () => {
      try {
        if (!echo) hideTyping(fd, before);
        return readAnswer();
      } finally {
        // What is left of a line that was too long must not reach the shell.
        if (secret.length === 0) tcflush(fd, TCIFLUSH);
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

/** False where a signal came first. */
function waitForLine(fd: number): boolean {
  const request = offHeap(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(POLLIN, 4);
  return poll(request, 1, -1) > 0;
}
