// C strings and pointer tables: the only place where bytes cross between JavaScript and C memory.
import type { Bytes } from '../bytes';
import { type Address, koffi } from './koffi';
import { strlen } from './libc';

/** A NUL-terminated copy. The caller keeps the buffer alive while C may read it. */
export function cString(bytes: Bytes): Buffer {
  return Buffer.from(`${bytes}\0`, 'latin1');
}

/** Copies a NUL-terminated string out of C memory; the memory stays with its owner. */
export function readCString(address: Address): Bytes {
  const length = Number(strlen(address));
  return Buffer.from(koffi().view(address, length)).toString('latin1') as Bytes;
}

/** Reads the pointer stored at an address. */
export function readPointer(address: Address): Address {
  return BigInt(koffi().decode.uint64(address));
}

/** A NULL-terminated `char **` with its strings, in one block that lives as long as `table` is referenced. */
export interface StringTable {
  readonly table: Buffer;
  readonly strings: Buffer;
}

/** Lays out strings as execve(2) wants them. */
export function stringTable(values: readonly Bytes[]): StringTable {
  const strings = offHeap(values.reduce((size, value) => size + value.length + 1, 1));
  const table = offHeap((values.length + 1) * 8);
  let offset = 0;
  const base = koffi().address(strings);
  values.forEach((value, index) => {
    table.writeBigUInt64LE(base + BigInt(offset), index * 8);
    offset += strings.write(`${value}\0`, offset, 'latin1');
  });
  return { table, strings };
}

/** Zeroed memory that V8 never moves: small typed arrays may lie on its heap. */
export function offHeap(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(Math.max(size, 128)), 0, size);
}
