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

/**
 * Strings as execve(2) wants them: a NULL-terminated `char **` with the strings behind it, in one block,
 * so that who holds the table holds the strings.
 */
export function stringTable(values: readonly Bytes[]): Buffer {
  const tableSize = (values.length + 1) * 8;
  const block = offHeap(values.reduce((size, value) => size + value.length + 1, tableSize));
  const base = koffi().address(block);
  let offset = tableSize;
  values.forEach((value, index) => {
    block.writeBigUInt64LE(base + BigInt(offset), index * 8);
    offset += block.write(`${value}\0`, offset, 'latin1');
  });
  return block;
}

/** Zeroed memory that V8 never moves: small typed arrays may lie on its heap. */
export function offHeap(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(Math.max(size, 128)), 0, size);
}
