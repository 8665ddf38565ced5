// A system call that failed: which one, and errno by name.
import { constants } from 'node:os';
import { toText } from '../bytes';
import { strerror } from '../ffi/libc';
import { readCString } from '../ffi/memory';

/** errno(3) of a failed call, with its name and text. */
export class SystemError extends Error {
  readonly call: string;
  /** `ENOENT` and so on. */
  readonly code: string;
  /** The text without the call, as perror(3) shows it. */
  readonly text: string;

  constructor(call: string, errno: number) {
    const text = toText(readCString(strerror(errno)));
    super(`${call}: ${text}`);
    this.call = call;
    this.code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
    this.text = text;
  }
}
