// Other processes as /proc shows them: who our children are and which process group they are in.
import { readdirSync, readFileSync } from 'node:fs';

/** A child of this process (proc(5), /proc/pid/stat). */
export interface ChildProcess {
  readonly pid: number;
  readonly processGroup: number;
}

/** Our children, adopted orphans included, without the dead ones that only wait to be reaped. */
export function listChildren(): ChildProcess[] {
  const children: ChildProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readStat(name);
    if (stat === undefined) continue;
    const [state, parent, processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(parent) === process.pid && state !== 'Z' && state !== 'X') {
      children.push({ pid: Number(name), processGroup: Number(processGroup) });
    }
  }
  return children;
}

function readStat(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
}
