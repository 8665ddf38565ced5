// Questions to the person at the terminal; the answer goes into a Secret.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { getpgrp, poll, signal, tcflush, tcgetattr, tcgetpgrp, tcsetattr } from '../ffi/libc';
import { offHeap } from '../ffi/memory';
import { Secret } from './secret';
import { catchSignals, type SignalName } from './signals';

const TCSAFLUSH = 2;
const TCSADRAIN = 1;
const TCIFLUSH = 0;
const ECHO = 0o10;
const ECHONL = 0o100;
const POLLIN = 1;
const SIGTTOU = 22;
const SIG_DFL = 0n;
const SIG_IGN = 1n;

/** Where c_lflag lies in glibc's struct termios (termios(3)). */
const LOCAL_FLAGS = 12;

const ENDING: readonly SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

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
  /** Is told of a signal that ended the question, when Node's event loop runs again. */
  onSignal(name: SignalName): void;
}

/**
 * Asks and waits for a line. Undefined where a signal that would end this process came instead; the
 * terminal's settings are back in any case. It waits with poll(2), which such a signal interrupts, because
 * no JavaScript runs meanwhile: modules ask in the middle of libpam's calls. Throws `secret` failures.
 */
export function ask({ text, echo, allowSwap, onSignal }: Question): Secret | undefined {
  const fd = openTerminal();
  const before = offHeap(256);
  const release = catchSignals(ENDING, onSignal);
  let interrupted = false;
  const secret = Secret.allocate({ allowSwap });
  try {
    tcgetattr(fd, before);
    if (!echo) setEcho(fd, before);
    writeSync(fd, text);
    interrupted = !waitForLine(fd);
    if (!interrupted) secret.readLine({ fd, name: 'the terminal', whole: false });
    return interrupted ? undefined : secret;
  } catch (error) {
    secret.wipe();
    throw error;
  } finally {
    // What is left of a line that was too long must not reach the shell.
    if (secret.length === 0) tcflush(fd, TCIFLUSH);
    if (!echo) {
      restore(fd, before);
      writeSync(fd, '\n');
    }
    closeSync(fd);
    if (interrupted) secret.wipe();
    // The event loop has to run before the handler can be told; until then it stays.
    else release();
  }
}

function setEcho(fd: number, before: Buffer): void {
  const quiet = offHeap(256);
  before.copy(quiet);
  quiet.writeUInt32LE((before.readUInt32LE(LOCAL_FLAGS) & ~(ECHO | ECHONL)) >>> 0, LOCAL_FLAGS);
  tcsetattr(fd, TCSAFLUSH, quiet);
}

function restore(fd: number, before: Buffer): void {
  if (tcgetpgrp(fd) !== getpgrp()) return;
  signal(SIGTTOU, SIG_IGN);
  tcsetattr(fd, TCSADRAIN, before);
  signal(SIGTTOU, SIG_DFL);
}

/** False where a signal came first. */
function waitForLine(fd: number): boolean {
  const request = offHeap(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(POLLIN, 4);
  return poll(request, 1, -1) > 0;
}
