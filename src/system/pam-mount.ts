// How many sessions of a user pam_mount counts (pmvarrun(8)).
import { readFileSync } from 'node:fs';

/** Zero where nothing is counted. */
export function sessionsOfPamMount(user: string): number {
  try {
    return Number(readFileSync(`/run/pam_mount/${user}`, 'latin1').trim()) || 0;
  } catch {
    return 0;
  }
}
