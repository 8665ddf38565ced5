// The text of rserver.conf as entries with their line numbers; the only user of ini.
import { parse } from 'ini';
import type { Entry } from './settings';

/**
 * Entries in the order of the file. Each line is parsed by itself, because an administrator needs to know
 * which line a value came from. Sections and lines without `=` are no entries.
 */
export function readEntries(text: string): Entry[] {
  return text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .flatMap((line, index) => (line.includes('=') ? entriesOfLine(line, index + 1) : []));
}

function entriesOfLine(line: string, number: number): Entry[] {
  return Object.entries(parse(line)).flatMap(([key, value]) =>
    typeof value === 'object' ? [] : [{ key, value: String(value), line: number }],
  );
}
