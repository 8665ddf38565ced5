// The terminal on standard input: its name, and its settings as we found them.
import { readlinkSync } from 'node:fs';
import { isatty } from 'node:tty';
import { type Bytes, fromText } from '../bytes';
import { getpgrp, tcgetattr, tcgetpgrp, tcsetattr, ttyname_r } from '../ffi/libc';
import { offHeap } from '../ffi/memory';
import { whileIgnoring } from './signals';

const STDIN = 0;
const TCSANOW = 0;

/** The path of the terminal on standard input, `/dev/pts/3`; undefined where standard input is none. */
export function stdinTerminal(): Bytes | undefined {
  if (!isatty(STDIN)) return undefined;
  const name = offHeap(256);
  if (ttyname_r(STDIN, name, name.length) === 0) {
    return name.toString('latin1', 0, name.indexOf(0)) as Bytes;
  }
  // In a container the terminal's device may lie outside the mount namespace (ttyname(3), ENODEV).
  try {
    return fromText(readlinkSync('/proc/self/fd/0'));
  } catch {
    return undefined;
  }
}

/**
 * Remembers the settings of the terminal on standard input. The result puts them back, unless we are in the
 * background: then they are another program's.
 */
export function saveTerminal(): () => void {
  const settings = offHeap(256);
  if (!isatty(STDIN) || tcgetattr(STDIN, settings) !== 0) return () => undefined;
  return () => {
    if (tcgetpgrp(STDIN) !== getpgrp()) return;
    // We may be moved to the background at this moment, where tcsetattr(3) would stop us.
    whileIgnoring(['SIGTTOU'], () => tcsetattr(STDIN, TCSANOW, settings));
  };
}
