// Resource limits of this process (getrlimit(2)): read, set, put back.
import { readFileSync } from 'node:fs';
import { prlimit } from '../ffi/libc';
import { offHeap } from '../ffi/memory';

/** The sixteen limits in the kernel's order, by their names in limits.conf(5) and ulimit. */
export const LIMIT_NAMES = [
  'cpu',
  'fsize',
  'data',
  'stack',
  'core',
  'rss',
  'nproc',
  'nofile',
  'memlock',
  'as',
  'locks',
  'sigpending',
  'msgqueue',
  'nice',
  'rtprio',
  'rttime',
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];

/** A soft and a hard limit in the kernel's units: bytes, seconds or a count. */
export interface Limit {
  readonly soft: bigint;
  readonly hard: bigint;
}

export type Limits = Readonly<Record<LimitName, Limit>>;

/** RLIM_INFINITY. */
export const UNLIMITED = 0xffff_ffff_ffff_ffffn;

const oldLimit = offHeap(16);
const newLimit = offHeap(16);

/** All limits of this process. */
export function readLimits(): Limits {
  return Object.fromEntries(LIMIT_NAMES.map((name) => [name, readLimit(name)])) as Record<LimitName, Limit>;
}

/** One limit of this process. */
export function readLimit(name: LimitName): Limit {
  prlimit(0, LIMIT_NAMES.indexOf(name), null, oldLimit);
  return { soft: oldLimit.readBigUInt64LE(0), hard: oldLimit.readBigUInt64LE(8) };
}

/** Sets one limit; false where the kernel refuses (a hard limit is raised without CAP_SYS_RESOURCE). */
export function setLimit(name: LimitName, limit: Limit): boolean {
  newLimit.writeBigUInt64LE(limit.soft, 0);
  newLimit.writeBigUInt64LE(limit.hard, 8);
  return prlimit(0, LIMIT_NAMES.indexOf(name), newLimit, null) === 0;
}

/**
 * What su does before it opens a session (sanitize_prlimits of util-linux), so that pam_limits starts from
 * the same values: no nice and real-time allowance, no file and address space limit, soft nofile 1024.
 * @param softNofile the caller's soft nofile before Node raised it, kept where 1024 is over the hard limit
 */
export function resetLimitsAsSu(softNofile: bigint): void {
  const none = { soft: 0n, hard: 0n };
  const unlimited = { soft: UNLIMITED, hard: UNLIMITED };
  setLimit('nice', none);
  setLimit('rtprio', none);
  setLimit('fsize', unlimited);
  setLimit('as', unlimited);
  const { hard } = readLimit('nofile');
  const fdSetSize = 1024n;
  setLimit('nofile', { soft: fdSetSize <= hard ? fdSetSize : softNofile, hard });
}

/** Puts limits back, each as far as the kernel allows. */
export function restoreLimits(wanted: Limits): void {
  for (const name of LIMIT_NAMES) {
    const { soft, hard } = wanted[name];
    if (setLimit(name, { soft, hard })) continue;
    const now = readLimit(name);
    if (!setLimit(name, { soft, hard: now.hard })) setLimit(name, { soft: now.hard, hard: now.hard });
  }
}

/** What this process has mapped, in bytes: as RLIMIT_AS and RLIMIT_DATA count it (proc(5), statm). */
export function mappedMemory(): { as: bigint; data: bigint } {
  const [size = '0', , , , , data = '0'] = readFileSync('/proc/self/statm', 'latin1').trim().split(' ');
  const pageSize = 4096n;
  return { as: BigInt(size) * pageSize, data: BigInt(data) * pageSize };
}
