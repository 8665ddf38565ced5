// A system call that failed: which one, and errno by name.
import { getSystemErrorMap } from 'node:util';

/** errno(3) of a failed call, with its name and text. */
export class SystemError extends Error {
  readonly call: string;
  readonly errno: number;
  /** `ENOENT` and so on. */
  readonly code: string;
  /** The text without the call. */
  readonly text: string;

  constructor(call: string, errno: number) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, `error ${errno}`];
    super(`${call}: ${text}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
    this.text = text;
  }
}
