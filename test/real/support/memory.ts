// Looks for a secret in a process: all of its memory, what /proc shows of it, its open files; and in core dumps.
import '../../support/throwaway';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';

const CHUNK = 1 << 22;
/** What is left of a copy after free(3) can be its end alone, as malloc(3) writes its own pointers over the begin. */
const PART = 8;

/** A place where a part of the secret is. */
export interface Finding {
  /** The mapping's name in /proc/pid/maps, or `anonymous`. */
  readonly mapping: string;
  readonly encoding: 'UTF-8' | 'UTF-16LE';
  readonly address: number;
  /** Of the mapping, from /proc/pid/smaps: `lo` locked, `dd` not in core dumps, `wf` wiped in children. */
  readonly flags: readonly string[];
}

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly flags: readonly string[];
}

/** Every place in the memory of a process where the secret or a part of it is. */
export function findInMemory(pid: number, secret: string): Finding[] {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return mappings(pid).flatMap((mapping) =>
      positions(
        (buffer, position) => readSync(memory, buffer, 0, buffer.length, position),
        mapping.start,
        mapping.end,
        secret,
      ).map((found) => ({ ...found, mapping: mapping.name, flags: mapping.flags })),
    );
  } finally {
    closeSync(memory);
  }
}

/** Where the secret or a part of it is in a file. */
export function findInFile(path: string, secret: string): number[] {
  const file = openSync(path, 'r');
  try {
    const size = statSync(path).size;
    const read = (buffer: Buffer, position: number): number =>
      readSync(file, buffer, 0, buffer.length, position);
    return positions(read, 0, size, secret).map(({ address }) => address);
  } finally {
    closeSync(file);
  }
}

/**
 * What /proc shows of all processes but this one and those that started it: arguments, environment, names of open files
 * and what these hold. Returns where the secret is.
 */
export function findInProc(secret: string): string[] {
  const own = new Set(ancestors());
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !own.has(Number(name)))
    .flatMap((pid) => [
      ...['cmdline', 'environ', 'comm', 'status'].map((name) => ({
        place: `/proc/${pid}/${name}`,
        text: read(`/proc/${pid}/${name}`),
      })),
      ...openFiles(pid),
    ])
    .filter(({ text }) => text.includes(secret))
    .map(({ place }) => place);
}

function openFiles(pid: string): { place: string; text: string }[] {
  return list(`/proc/${pid}/fd`).flatMap((fd) => {
    const place = `/proc/${pid}/fd/${fd}`;
    const isFile = quietly(() => statSync(place).isFile() && statSync(place).size < 1 << 24, false);
    return [
      { place, text: quietly(() => readlinkSync(place), '') },
      { place: `the content of ${place}`, text: isFile ? read(place) : '' },
    ];
  });
}

function positions(
  read: (buffer: Buffer, position: number) => number,
  start: number,
  end: number,
  secret: string,
): { encoding: Finding['encoding']; address: number }[] {
  const found: { encoding: Finding['encoding']; address: number }[] = [];
  const parts = [secret.slice(0, PART), secret.slice(-PART)];
  const overlap = 2 * PART;
  const buffer = Buffer.alloc(CHUNK);
  for (let position = start; position < end; position += CHUNK - overlap) {
    const window = buffer.subarray(0, Math.min(CHUNK, end - position));
    const length = quietly(() => read(window, position), 0);
    const bytes = window.subarray(0, length);
    for (const [encoding, name] of [
      ['UTF-8', 'utf8'],
      ['UTF-16LE', 'utf16le'],
    ] as const) {
      for (const part of parts) {
        const needle = Buffer.from(part, name);
        for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
          found.push({ encoding, address: position + at });
        }
        needle.fill(0);
      }
    }
  }
  return found;
}

function mappings(pid: number): Mapping[] {
  const result: Mapping[] = [];
  let range: { start: number; end: number; name: string } | undefined;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ *(.*)$/.exec(line);
    if (head !== null) {
      const [, start = '', end = '', name = ''] = head;
      range = { start: parseInt(start, 16), end: parseInt(end, 16), name: name === '' ? 'anonymous' : name };
    }
    // The kernel's own page can be read by its process alone, and holds nothing of it.
    if (line.startsWith('VmFlags:') && range !== undefined && range.name !== '[vsyscall]') {
      result.push({ ...range, flags: line.slice('VmFlags:'.length).trim().split(' ') });
    }
  }
  return result;
}

/** This process and those that started it, up to the first one of the namespace. */
function ancestors(): number[] {
  const result: number[] = [];
  for (let pid = process.pid; pid > 0; ) {
    result.push(pid);
    pid = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  }
  return result;
}

function list(directory: string): string[] {
  return quietly(() => readdirSync(directory), []);
}

function read(path: string): string {
  return quietly(() => readFileSync(path, 'latin1'), '');
}

/** Processes end while one looks at them, and some memory cannot be read by anyone. */
function quietly<T>(action: () => T, otherwise: T): T {
  try {
    return action();
  } catch {
    return otherwise;
  }
}
