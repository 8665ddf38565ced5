// Signals of this process: which we catch, which the caller had ignored or blocked (signal(7)).
import { constants } from 'node:os';
import { toText } from '../bytes';
import { sigaction, signal, sigprocmask, strsignal } from '../ffi/libc';
import { offHeap, readCString } from '../ffi/memory';

const SIG_DFL = 0n;
const SIG_IGN = 1n;
/** Where sa_flags lies in glibc's struct sigaction: behind the handler and the mask. */
const FLAGS_OFFSET = 136;
const SA_RESETHAND = 0x8000_0000;
const SIG_SETMASK = 2;
const LAST_SIGNAL = 64;

/** A signal by its name, as Node writes it. */
export type SignalName = NodeJS.Signals;

/** The number of a signal. */
export function signalNumber(name: SignalName): number {
  return constants.signals[name];
}

/** `SIGTERM (Terminated)`; a number where there is no name. */
export function describeSignal(number: number): string {
  const name =
    Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
  return `${name} (${toText(readCString(strsignal(number)))})`;
}

/** Calls `handler` for each of the signals until the result is called. */
export function catchSignals(names: readonly SignalName[], handler: (name: SignalName) => void): () => void {
  const listener = (name: SignalName): void => handler(name);
  for (const name of names) process.on(name, listener);
  return () => {
    for (const name of names) process.off(name, listener);
  };
}

/** Ignores signals as the caller had them: what execve(2) is handed on. */
export function ignoreSignals(numbers: readonly number[]): void {
  for (const number of numbers) signal(number, SIG_IGN);
}

/** Runs `action` while these signals are ignored; their dispositions are as before afterwards. */
export function whileIgnoring<T>(names: readonly SignalName[], action: () => T): T {
  const before = names.map((name) => {
    const disposition = readDisposition(signalNumber(name));
    signal(signalNumber(name), SIG_IGN);
    return [signalNumber(name), disposition] as const;
  });
  try {
    return action();
  } finally {
    for (const [number, disposition] of before) sigaction(number, disposition, null);
  }
}

/**
 * Runs `action`, which can ask whether one of these caught signals has arrived, without running JavaScript's
 * handlers: SA_RESETHAND makes the disposition the default one when a signal is delivered, in whichever
 * thread (sigaction(2)). Signals that are not caught are left alone.
 */
export function whileWatching<T>(names: readonly SignalName[], action: (hasArrived: () => boolean) => T): T {
  const watched = names.map(signalNumber).flatMap((number) => {
    const before = readDisposition(number);
    return isCaught(before) ? [{ number, before }] : [];
  });
  for (const { number, before } of watched) {
    const once = offHeap(256);
    before.copy(once);
    once.writeUInt32LE((before.readUInt32LE(FLAGS_OFFSET) | SA_RESETHAND) >>> 0, FLAGS_OFFSET);
    sigaction(number, once, null);
  }
  try {
    return action(() => watched.some(({ number }) => !isCaught(readDisposition(number))));
  } finally {
    for (const { number, before } of watched) sigaction(number, before, null);
  }
}

function readDisposition(number: number): Buffer {
  const disposition = offHeap(256);
  sigaction(number, null, disposition);
  return disposition;
}

function isCaught(disposition: Buffer): boolean {
  const handler = disposition.readBigUInt64LE(0);
  return handler !== SIG_DFL && handler !== SIG_IGN;
}

/** Sets default dispositions, also of signals that Node ignores (SIGPIPE, SIGXFSZ); the result undoes it. */
export function resetSignals(): () => void {
  const before = new Map<number, Buffer>();
  for (let number = 1; number <= LAST_SIGNAL; number++) {
    const disposition = offHeap(256);
    if (sigaction(number, null, disposition) === 0) before.set(number, disposition);
    signal(number, SIG_DFL);
  }
  return () => {
    for (const [number, disposition] of before) sigaction(number, disposition, null);
  };
}

/** Blocks exactly these signals in this thread. */
export function setBlockedSignals(numbers: readonly number[]): void {
  sigprocmask(SIG_SETMASK, signalSet({ only: numbers }), null);
}

/** A sigset_t. Written bit by bit: sigaddset(3) refuses the two signals that glibc keeps for itself. */
export function signalSet(members: { only: readonly number[] } | { except: readonly number[] }): Buffer {
  const set = offHeap(128);
  for (let number = 1; number <= LAST_SIGNAL; number++) {
    const member = 'only' in members ? members.only.includes(number) : !members.except.includes(number);
    if (!member) continue;
    const byte = (number - 1) >> 3;
    set[byte] = (set[byte] ?? 0) | (1 << ((number - 1) & 7));
  }
  return set;
}
