// Processes as the tests see them.
import { readdirSync, readFileSync } from 'node:fs';

/** The command lines of all processes whose real user id is `uid`. */
export function processesOf(uid: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const real = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
        return real === String(uid) && words !== '' ? [words] : [];
      } catch {
        return [];
      }
    });
}
