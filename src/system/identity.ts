// Whose identity this process has: the target's groups, and the short time in which we act as the target.
import { errno } from '../ffi/koffi';
import { capget, capset, getresgid, initgroups, prctl, setresgidThread, setresuidThread } from '../ffi/libc';
import { cString, offHeap } from '../ffi/memory';
import type { Account } from './account';
import { SystemError } from './system-error';

const PR_SET_KEEPCAPS = 8;
const CAPABILITY_VERSION_3 = 0x20080522;
const CAP_SYS_ADMIN = 21;
const CAP_SYS_RESOURCE = 24;

/** The target's supplementary groups, for every thread (initgroups(3)). Throws SystemError. */
export function becomeMemberOfGroups(account: Account): void {
  if (initgroups(cString(account.name), account.gid) !== 0) throw new SystemError('initgroups', errno());
}

/** Whether this process holds CAP_SYS_RESOURCE: without it a lowered hard limit stays lowered (setrlimit(2)). */
export function mayRaiseLimits(): boolean {
  return (readCapabilities().readUInt32LE(0) & (1 << CAP_SYS_RESOURCE)) !== 0;
}

/**
 * Runs `action` as the target: real, effective and saved ids are the account's, and no capability is
 * effective but the two that exempt a fork from RLIMIT_NPROC, which su's fork as root has as well. What
 * is created meanwhile inherits this; execve(2) then drops every capability, because the ids are not root's.
 *
 * The way back is PR_SET_KEEPCAPS, which keeps the permitted set (prctl(2), capabilities(7)). Only the
 * calling thread changes. Root's own identity is back on every way out; SystemError says what failed.
 */
export function asAccount<T>(account: Account, action: () => T): T {
  const before = readCapabilities();
  const groups = readGroupIds();
  const [exempt, full] = [
    withEffective(before, [CAP_SYS_ADMIN, CAP_SYS_RESOURCE]),
    withEffective(before, 'permitted'),
  ];
  check('prctl', prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  try {
    check('setresgid', setresgidThread(account.gid, account.gid, account.gid));
    if (account.uid !== 0) {
      check('setresuid', setresuidThread(account.uid, account.uid, account.uid));
      writeCapabilities(exempt);
    }
    return action();
  } finally {
    if (account.uid !== 0) {
      writeCapabilities(full);
      check('setresuid', setresuidThread(0, 0, 0));
    }
    check('setresgid', setresgidThread(groups.real, groups.effective, groups.saved));
    writeCapabilities(before);
    check('prctl', prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0));
  }
}

function check(call: string, result: number): void {
  if (result !== 0) throw new SystemError(call, errno());
}

function readGroupIds(): { real: number; effective: number; saved: number } {
  const [real, effective, saved] = [offHeap(4), offHeap(4), offHeap(4)];
  check('getresgid', getresgid(real, effective, saved));
  return { real: real.readUInt32LE(), effective: effective.readUInt32LE(), saved: saved.readUInt32LE() };
}

// Two struct __user_cap_data_struct: effective, permitted, inheritable of capabilities 0–31, then of 32–63.
function readCapabilities(): Buffer {
  const data = offHeap(24);
  check('capget', capget(capabilityHeader(), data));
  return data;
}

function writeCapabilities(data: Buffer): void {
  check('capset', capset(capabilityHeader(), data));
}

function capabilityHeader(): Buffer {
  const header = offHeap(8);
  header.writeUInt32LE(CAPABILITY_VERSION_3, 0);
  return header;
}

function withEffective(data: Buffer, effective: 'permitted' | readonly number[]): Buffer {
  const copy = offHeap(24);
  data.copy(copy);
  const [low, high] = [data.readUInt32LE(4), data.readUInt32LE(16)];
  const mask =
    effective === 'permitted' ? -1 : effective.reduce((bits, capability) => bits | (1 << capability), 0);
  copy.writeUInt32LE((low & mask) >>> 0, 0);
  copy.writeUInt32LE(effective === 'permitted' ? high : 0, 12);
  return copy;
}
