// Starting a command, replacing this process by one, and learning what became of our children.
import { readdirSync } from 'node:fs';
import type { Bytes } from '../bytes';
import type { CommandEnd } from '../errors';
import { errno } from '../ffi/koffi';
import {
  chdir,
  closeRangeFrom,
  execve,
  fcntl,
  getpgrp,
  kill,
  posix_spawn,
  posix_spawn_file_actions_adddup2,
  posix_spawn_file_actions_destroy,
  posix_spawn_file_actions_init,
  posix_spawnattr_init,
  posix_spawnattr_setflags,
  posix_spawnattr_setsigdefault,
  posix_spawnattr_setsigmask,
  prctl,
  waitpid,
} from '../ffi/libc';
import { cString, offHeap, stringTable } from '../ffi/memory';
import { ignoreSignals, resetSignals, setBlockedSignals, signalSet } from './signals';
import { SystemError } from './system-error';

/** A program with the exact bytes it gets. */
export interface Program {
  /** Paths to try in turn, as execvp(3) does with PATH. */
  readonly candidates: readonly Bytes[];
  readonly argv: readonly Bytes[];
  readonly environment: readonly Bytes[];
}

/** Signal dispositions a command starts with: those of our caller (signal(7)). */
export interface SignalState {
  readonly ignored: readonly number[];
  readonly blocked: readonly number[];
}

const CLOSE_RANGE_CLOEXEC = 4;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const WUNTRACED = 2;
const WCONTINUED = 8;
const CONTINUED = 0xffff;
const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const SIGSTOP = 19;

/**
 * Starts a program and returns its process id. It runs with the identity the calling thread has now, in
 * this process's directory, session state and limits. posix_spawn(3) shares our memory until the program
 * is executed, so nothing of Node runs in the child and a failing execve(2) comes back as SystemError.
 * With SIGCHLD among the ignored signals nobody could wait for the child.
 */
export function spawn(program: Program, options: { newSession: boolean; signals: SignalState }): number {
  const { ignored, blocked } = options.signals;
  const attributes = offHeap(512);
  const actions = offHeap(256);
  posix_spawnattr_init(attributes);
  posix_spawnattr_setflags(
    attributes,
    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (options.newSession ? POSIX_SPAWN_SETSID : 0),
  );
  posix_spawnattr_setsigdefault(attributes, signalSet({ except: ignored }));
  posix_spawnattr_setsigmask(attributes, signalSet({ only: blocked }));
  posix_spawn_file_actions_init(actions);
  // Onto itself: takes the close-on-exec flag away that Node put on the standard streams.
  for (const fd of [0, 1, 2]) posix_spawn_file_actions_adddup2(actions, fd, fd);
  try {
    ignoreSignals(ignored);
    const argv = stringTable(program.argv);
    const environment = stringTable(program.environment);
    const pid = offHeap(4);
    const code = tryCandidates(program.candidates, (path) =>
      posix_spawn(pid, path, actions, attributes, argv, environment),
    );
    if (code !== 0) throw new SystemError('execve', code);
    return pid.readInt32LE();
  } finally {
    posix_spawn_file_actions_destroy(actions);
  }
}

/** Replaces this process by a program; returns only by throwing SystemError. */
export function replaceProcess(program: Program, signals: SignalState): never {
  const argv = stringTable(program.argv);
  const environment = stringTable(program.environment);
  for (const fd of [0, 1, 2]) fcntl(fd, F_SETFD, 0);
  const restoreSignals = resetSignals();
  ignoreSignals(signals.ignored);
  setBlockedSignals(signals.blocked);
  const code = tryCandidates(program.candidates, (path) => {
    execve(path, argv, environment);
    return errno();
  });
  setBlockedSignals([]);
  restoreSignals();
  throw new SystemError('execve', code);
}

/** execvp(3)'s rule: a missing or forbidden file lets the search go on, and forbidden wins over missing. */
function tryCandidates(candidates: readonly Bytes[], run: (path: Buffer) => number): number {
  let result = ENOENT;
  for (const candidate of candidates) {
    const code = run(cString(candidate));
    if (code === EACCES) result = EACCES;
    else if (code !== ENOENT && code !== ENOTDIR) return code;
  }
  return result;
}

/** Marks every descriptor from 3 up close-on-exec: a command gets the standard streams and nothing else. */
export function closeDescriptorsOnExec(): void {
  if (closeRangeFrom(3, CLOSE_RANGE_CLOEXEC) === 0) return;
  // Linux before 5.11 does not know the flag.
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    const flags = fcntl(fd, F_GETFD, 0);
    if (fd >= 3 && flags >= 0) fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  }
}

/** Changes this process's directory, with the identity the calling thread has now. Throws SystemError. */
export function changeDirectory(path: Bytes): void {
  if (chdir(cString(path)) !== 0) throw new SystemError('chdir', errno());
}

/** Orphaned descendants become our children, so that we can end them and wait for their end (prctl(2)). */
export function adoptOrphans(): void {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/** Sends a signal; a process that is gone already is no error. A negative id means a process group. */
export function sendSignal(pid: number, signal: number): void {
  kill(pid, signal);
}

/** Stops this process as the keyboard would; returns when somebody continued it. */
export function stopSelf(): void {
  kill(process.pid, SIGSTOP);
}

/** The process group this process is in. */
export function ownProcessGroup(): number {
  return getpgrp();
}

/** Whether this process has any child. A dead one that nobody waited for is put away. */
export function hasChildren(): boolean {
  return waitpid(-1, offHeap(4), WNOHANG) >= 0;
}

/** What waitpid(2) reports of a child. */
export type ChildChange = { readonly pid: number } & (
  | { readonly stopped: number }
  | { readonly continued: true }
  | { readonly ended: CommandEnd }
);

/** What happened to our children since the last call; never waits. */
export function takeChildChanges(): ChildChange[] {
  const changes: ChildChange[] = [];
  const word = offHeap(4);
  for (;;) {
    const pid = waitpid(-1, word, WNOHANG | WUNTRACED | WCONTINUED);
    if (pid <= 0) return changes;
    const status = word.readInt32LE();
    const low = status & 0x7f;
    if (status === CONTINUED) changes.push({ pid, continued: true });
    else if ((status & 0xff) === 0x7f) changes.push({ pid, stopped: (status >> 8) & 0xff });
    else if (low === 0) changes.push({ pid, ended: { code: (status >> 8) & 0xff } });
    else changes.push({ pid, ended: { signal: low, coreDumped: (status & 0x80) !== 0 } });
  }
}
