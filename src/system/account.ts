// The machine's users and groups, as NSS answers (passwd(5), getpwnam(3)).
import type { Bytes } from '../bytes';
import type { Pointer } from '../ffi/koffi';
import { getgrgid_r, getgrouplist, getpwnam_r, getpwuid_r } from '../ffi/libc';
import { cString, offHeap, readCString } from '../ffi/memory';

/** A passwd entry. */
export interface Account {
  readonly name: Bytes;
  readonly uid: number;
  readonly gid: number;
  readonly home: Bytes;
  /** An empty field means /bin/sh (passwd(5)). */
  readonly shell: Bytes;
}

const ERANGE = 34;
const LARGEST_ENTRY = 1 << 20;

/** The account of this name, or undefined where no source of NSS knows it. */
export function findAccount(name: Bytes): Account | undefined {
  const key = cString(name);
  return readAccount((entry, buffer, found) => getpwnam_r(key, entry, buffer, buffer.length, found));
}

/** The account with this user id, or undefined. */
export function findAccountById(uid: number): Account | undefined {
  return readAccount((entry, buffer, found) => getpwuid_r(uid, entry, buffer, buffer.length, found));
}

function readAccount(lookup: (entry: Buffer, buffer: Buffer, found: Pointer) => number): Account | undefined {
  return lookupEntry(lookup, (entry) => {
    const text = (offset: number): Bytes => readCString(entry.readBigUInt64LE(offset));
    return {
      name: text(0),
      uid: entry.readUInt32LE(16),
      gid: entry.readUInt32LE(20),
      home: text(32),
      shell: text(40) || ('/bin/sh' as Bytes),
    };
  });
}

/** The name of a group, or undefined where no source of NSS knows it. */
export function findGroupName(gid: number): Bytes | undefined {
  return lookupEntry(
    (entry, buffer, found) => getgrgid_r(gid, entry, buffer, buffer.length, found),
    (entry) => readCString(entry.readBigUInt64LE(0)),
  );
}

/** The *_r functions want a buffer whose size nobody knows: grow it until the entry fits. */
function lookupEntry<T>(
  lookup: (entry: Buffer, buffer: Buffer, found: Pointer) => number,
  decode: (entry: Buffer) => T,
): T | undefined {
  const entry = offHeap(64);
  const found = offHeap(8);
  for (let size = 4096; size <= LARGEST_ENTRY; size *= 4) {
    const buffer = offHeap(size);
    const code = lookup(entry, buffer, found);
    if (code === ERANGE) continue;
    return code === 0 && found.readBigUInt64LE() !== 0n ? decode(entry) : undefined;
  }
  return undefined;
}

/** The groups that initgroups(3) would set, the primary group first (getgrouplist(3)). */
export function groupsOf(account: Account): number[] {
  const count = offHeap(4);
  for (let size = 64; size <= 65536; size *= 4) {
    const groups = offHeap(size * 4);
    count.writeInt32LE(size);
    if (getgrouplist(cString(account.name), account.gid, groups, count) >= 0) {
      return Array.from({ length: count.readInt32LE() }, (_, index) => groups.readUInt32LE(index * 4));
    }
  }
  return [account.gid];
}
