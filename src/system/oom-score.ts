// The out-of-memory killer's score of this process (proc(5), oom_score_adj).
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = '/proc/self/oom_score_adj';

/**
 * Runs `action` so that what it starts does not inherit the protection that a service such as sshd gives
 * itself: a negative score would make the user's programs the last to be killed. Lowering the score again
 * needs CAP_SYS_RESOURCE; without it we stay unprotected.
 */
export function withoutOomProtection<T>(action: () => T): T {
  const score = readScore();
  if (score >= 0) return action();
  writeScore(0);
  try {
    return action();
  } finally {
    writeScore(score);
  }
}

function readScore(): number {
  try {
    return Number(readFileSync(FILE, 'latin1'));
  } catch {
    return 0;
  }
}

function writeScore(score: number): void {
  try {
    writeFileSync(FILE, String(score));
  } catch {
    // Without /proc or the capability the score stays as it is.
  }
}
