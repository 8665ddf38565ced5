// Limits on memory that the session sets and the supervisor could not live under.
import { Failure } from '../errors';
import { type Limit, type Limits, readLimit, setLimit } from '../system/limits';

/**
 * Memory that the supervisor needs, in bytes: what it has mapped and some room, but not less than `least`.
 * What is mapped at the start varies with the heaps that glibc makes for each thread; a limit must not be
 * too small in one run and large enough in the next.
 */
const NEEDED = {
  as: { room: 128n << 20n, least: 1152n << 20n },
  data: { room: 64n << 20n, least: 256n << 20n },
} as const;

type MemoryLimit = keyof typeof NEEDED;

/** Limits that the session has and the supervisor could not bear. */
export type TightLimits = Partial<Record<MemoryLimit, Limit>>;

/**
 * Under a session's small limit on memory this process could not go on. It gives itself its own limit
 * again, and the command gets the session's from prlimit(1), which runs as the user.
 */
export function raiseTightLimits(own: Limits, mapped: Record<MemoryLimit, bigint>): TightLimits {
  const tight: TightLimits = {};
  for (const name of ['as', 'data'] as const) {
    const session = readLimit(name);
    const { room, least } = NEEDED[name];
    const needed = mapped[name] + room > least ? mapped[name] + room : least;
    if (session.soft >= needed) continue;
    tight[name] = session;
    if (setLimit(name, own[name])) continue;
    if (session.hard >= needed && setLimit(name, { soft: session.hard, hard: session.hard })) continue;
    const megabytes = (bytes: bigint): string => `${bytes >> 20n} MB`;
    throw new Failure(
      'limits',
      `the session's limit "${name}" of ${megabytes(session.hard)} is too small for the supervisor, which needs ` +
        `${megabytes(needed)} and cannot raise it for itself without CAP_SYS_RESOURCE`,
      { hint: '--exec runs the command without a supervisor, under any limit' },
    );
  }
  return tight;
}
