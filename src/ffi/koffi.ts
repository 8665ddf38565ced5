// Loads koffi and binds C functions on first use; knows nothing about what the functions mean.
import type Koffi from 'koffi';

/** The shared libraries this program calls. */
export type Library = 'libc.so.6' | 'libpam.so.0';

/** An address in this process. 0n is NULL. */
export type Address = bigint;

/** What a C pointer parameter accepts: memory of ours, an address, or NULL. */
export type Pointer = Buffer | Address | null;

type Handle = ReturnType<typeof Koffi.load>;

let loaded: typeof Koffi | undefined;
const libraries = new Map<Library, Handle>();

/** The koffi module, loaded when the first C function is called: commands that call none do not pay for it. */
export function koffi(): typeof Koffi {
  loaded ??= require('koffi') as typeof Koffi;
  return loaded;
}

/** The library, loaded once. Throws when the dynamic loader cannot find it. */
export function library(name: Library): Handle {
  let handle = libraries.get(name);
  if (handle === undefined) {
    handle = koffi().load(name);
    libraries.set(name, handle);
  }
  return handle;
}

/** A C function by its prototype, bound when it is first called. */
export function foreign<Args extends unknown[], Result>(
  name: Library,
  prototype: string,
): (...args: Args) => Result {
  let bound: ((...args: Args) => Result) | undefined;
  return (...args) => {
    bound ??= library(name).func(prototype) as (...args: Args) => Result;
    return bound(...args);
  };
}

/** errno of the last C call (errno(3)). */
export function errno(): number {
  return koffi().errno();
}
