// Other processes as /proc shows them: whose children they are and which process group they are in.
import { readdirSync, readFileSync } from 'node:fs';

/** A process (proc(5), /proc/pid/stat). */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly processGroup: number;
}

/** All processes we can see, without the dead ones that only wait to be reaped. */
export function listProcesses(): Process[] {
  const processes: Process[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readStat(name);
    if (stat === undefined) continue;
    const [state, parent, processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') continue;
    processes.push({ pid: Number(name), parent: Number(parent), processGroup: Number(processGroup) });
  }
  return processes;
}

function readStat(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
}
