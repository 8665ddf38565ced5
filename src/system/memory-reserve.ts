// Memory that this process has mapped before the session's limits come into force.
import { free, malloc, mallopt } from '../ffi/libc';

const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
const RESERVE = 24 << 20;

/**
 * Maps room for malloc(3), with which V8 parses and compiles, and keeps it (mallopt(3)): under a small
 * RLIMIT_AS or RLIMIT_DATA a new mapping is refused, and V8 aborts the process while the session is open.
 * Nobody writes to it, so it takes no memory.
 */
export function reserveMemory(): void {
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  // The largest threshold that glibc takes: what is smaller comes from the heap and not from mmap(2).
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  free(malloc(RESERVE));
}
