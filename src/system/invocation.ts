// How this process was started: arguments and environment as bytes, and what bin/rsession-pam recorded.
import { readFileSync } from 'node:fs';
import { type Bytes, fromText } from '../bytes';

/** What the caller gave us, before Node changed any of it. */
export interface Invocation {
  readonly args: readonly Bytes[];
  readonly environment: ReadonlyMap<Bytes, Bytes>;
  /** The caller's soft RLIMIT_NOFILE; undefined where the launcher did not run. */
  readonly softNofile: bigint | undefined;
  /** The descriptors the caller had open: Node opens others for itself. Undefined as above. */
  readonly descriptors: readonly number[] | undefined;
  /** Signals the caller had ignored, and blocked, by number. */
  readonly ignoredSignals: readonly number[];
  readonly blockedSignals: readonly number[];
}

/** The variable that bin/rsession-pam sets for us; no command ever sees it. */
const START_VARIABLE = 'RSESSION_PAM_START';

/** Reads it once, at the start: Node's own `process.argv` and `process.env` have lost bytes that are not UTF-8. */
export function readInvocation(): Invocation {
  const environment = new Map<Bytes, Bytes>();
  for (const entry of nulSeparated('/proc/self/environ')) {
    const equals = entry.indexOf('=', 1);
    if (equals > 0) environment.set(entry.slice(0, equals) as Bytes, entry.slice(equals + 1) as Bytes);
  }
  const start = environment.get(START_VARIABLE as Bytes) ?? '';
  environment.delete(START_VARIABLE as Bytes);
  delete process.env[START_VARIABLE];
  const recorded = new Map(start.split(' ').map((word) => word.split('=', 2) as [string, string]));
  const nofile = recorded.get('nofile');
  return {
    args: exactArguments(),
    environment,
    softNofile: nofile !== undefined && /^\d+$/.test(nofile) ? BigInt(nofile) : undefined,
    descriptors: recorded.get('fds')?.split(',').map(Number),
    ignoredSignals: signalsOfMask(recorded.get('ignored')),
    blockedSignals: signalsOfMask(recorded.get('blocked')),
  };
}

function exactArguments(): Bytes[] {
  const texts = process.argv.slice(2);
  const all = nulSeparated('/proc/self/cmdline');
  return texts.length === 0 || all.length < texts.length ? texts.map(fromText) : all.slice(-texts.length);
}

function nulSeparated(file: string): Bytes[] {
  let content: string;
  try {
    content = readFileSync(file, 'latin1');
  } catch {
    return [];
  }
  return (content.endsWith('\0') ? content.slice(0, -1) : content).split('\0') as Bytes[];
}

/** The signal numbers in a hexadecimal mask of /proc/pid/status (proc(5), SigIgn and SigBlk). */
function signalsOfMask(mask: string | undefined): number[] {
  if (mask === undefined || !/^[0-9a-f]+$/i.test(mask)) return [];
  const bits = BigInt(`0x${mask}`);
  return Array.from({ length: 64 }, (_, index) => index + 1).filter(
    (number) => (bits >> BigInt(number - 1)) & 1n,
  );
}
