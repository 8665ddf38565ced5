// Memory for a password: locked, out of dumps and forks, wiped. Its bytes never become a JavaScript value.
import { Failure } from '../errors';
import { type Address, errno } from '../ffi/koffi';
import { explicit_bzero, madvise, memchr, mlock, mmap, munmap, poll, prctl, readInto } from '../ffi/libc';
import { offHeap } from '../ffi/memory';
import { readLimit, setLimit } from './limits';
import { SystemError } from './system-error';

/** The longest answer that PAM takes (PAM_MAX_RESP_SIZE of security/_pam_types.h). */
const LONGEST = 512;

const PAGE = 4096;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const MADV_DONTDUMP = 16;
const MADV_WIPEONFORK = 18;
const EINTR = 4;
const EAGAIN = 11;
const POLLIN = 1;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** Where a password is read from, for messages. */
export interface SecretSource {
  readonly fd: number;
  /** `standard input`, `file descriptor 3`, … */
  readonly name: string;
  /** A file that holds nothing but the password; else the rest belongs to somebody else. */
  readonly whole: boolean;
  /** Whether an empty line is an answer. */
  readonly mayBeEmpty?: boolean;
  /** Waits for the next byte; false gives up. */
  awaitByte?(): boolean;
}

/** A password in a page of its own. Whoever has one calls `wipe` on every way out. */
export class Secret {
  readonly #page: Address;
  #length = 0;
  #wiped = false;

  private constructor(page: Address) {
    this.#page = page;
  }

  /**
   * Maps the page: locked in memory (mlock(2)), left out of core dumps and empty in forked children
   * (madvise(2)). Throws a `secret` failure where it cannot be locked, unless swapping is allowed.
   */
  static allocate(options: { allowSwap: boolean }): Secret {
    const page = mmap(null, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    if (page === MAP_FAILED) throw new SystemError('mmap', errno());
    if (mlock(page, PAGE) !== 0 && !options.allowSwap) {
      const { text } = new SystemError('mlock', errno());
      munmap(page, PAGE);
      throw new Failure('secret', `the password cannot be kept out of the swap space: mlock: ${text}`, {
        hint: 'raise the limit of locked memory (memlock), or accept the risk with --allow-swap',
      });
    }
    madvise(page, PAGE, MADV_DONTDUMP);
    madvise(page, PAGE, MADV_WIPEONFORK);
    return new Secret(page);
  }

  /** The number of bytes, for the reply to a module. */
  get length(): number {
    return this.#length;
  }

  /** Where the bytes are, for the reply to a module. Not to be used once it is wiped. */
  get address(): Address {
    return this.#page;
  }

  /**
   * Reads one line with read(2), a byte at a time, so that what follows stays for others. False where the
   * source gave up. Throws a `secret` failure that says why a line cannot be taken.
   */
  readLine({ fd, name, whole, mayBeEmpty = false, awaitByte }: SecretSource): boolean {
    const what = mayBeEmpty ? 'answer' : 'password';
    const refuse = (problem: string): never => {
      throw new Failure('secret', `the ${what} from ${name} ${problem}`);
    };
    let length = 0;
    for (;;) {
      if (awaitByte?.() === false) return false;
      const count = readInto(fd, this.#page + BigInt(length), 1);
      if (count < 0 && errno() === EINTR) continue;
      if (count < 0 && errno() === EAGAIN) {
        waitForInput(fd);
        continue;
      }
      if (count < 0) refuse(`cannot be read: ${new SystemError('read', errno()).text}`);
      if (count === 0 && length === 0) refuse('is missing: it ended before a line');
      if (count === 0 || this.#has(NEWLINE, length)) break;
      if (length === LONGEST) refuse(`is longer than ${LONGEST} bytes, the most that PAM takes`);
      length++;
    }
    if (length === 0 && !mayBeEmpty) refuse('is empty');
    if (length > 0 && this.#has(0, 0, length)) refuse('contains a NUL byte, which PAM cannot take');
    if (length > 0 && this.#has(CARRIAGE_RETURN, length - 1))
      refuse('ends with a carriage return, as lines of Windows do');
    if (whole && readInto(fd, this.#page + BigInt(length), 1) > 0) refuse('has more than one line');
    explicit_bzero(this.#page + BigInt(length), PAGE - length);
    this.#length = length;
    return true;
  }

  #has(byte: number, offset: number, length = 1): boolean {
    const found = memchr(this.#page + BigInt(offset), byte, length);
    return found !== null && found !== 0n;
  }

  /** Overwrites the page and gives it back. May be called again. */
  wipe(): void {
    if (this.#wiped) return;
    explicit_bzero(this.#page, PAGE);
    munmap(this.#page, PAGE);
    this.#wiped = true;
    this.#length = 0;
  }
}

/** Whoever started us may have made the pipe non-blocking. */
function waitForInput(fd: number): void {
  const request = offHeap(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(POLLIN, 4);
  poll(request, 1, -1);
}

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;

/**
 * A soft core limit that nobody else sets. Zero would let the kernel pipe a core to a program; one makes it
 * refuse that too (core(5)), and tells us afterwards whether the session has set a limit of its own.
 */
const NO_CORE = 1n;

/**
 * As long as this process holds a secret nobody may trace it and it leaves no core (prctl(2),
 * PR_SET_DUMPABLE). The result lifts that; a core limit that the session has set meanwhile stays.
 */
export function guardMemory(): () => void {
  const dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
  const core = readLimit('core');
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (core.hard >= NO_CORE) setLimit('core', { soft: NO_CORE, hard: core.hard });
  return () => {
    prctl(PR_SET_DUMPABLE, dumpable === 1 ? 1 : 0, 0, 0, 0);
    const now = readLimit('core');
    if (now.soft !== NO_CORE) return;
    if (!setLimit('core', { soft: core.soft, hard: now.hard }))
      setLimit('core', { soft: now.hard, hard: now.hard });
  };
}
