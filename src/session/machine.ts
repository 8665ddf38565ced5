// The real SessionSystem: this machine's libpam, kernel and process.
import { shown } from '../bytes';
import { findAccount } from '../system/account';
import {
  adoptOrphans,
  hasChildren,
  ownProcessGroup,
  replaceProcess,
  type SignalState,
  sendSignal,
  spawn,
  stopSelf,
  takeChildChanges,
} from '../system/child';
import { becomeMemberOfGroups, mayRaiseLimits } from '../system/identity';
import { mappedMemory, readLimits, resetLimitsAsSu, restoreLimits, setLimit } from '../system/limits';
import { reserveMemory } from '../system/memory-reserve';
import { listProcesses, type Process } from '../system/processes';
import { catchSignals, ignoreSignals, type SignalName, signalNumber } from '../system/signals';
import { saveTerminal } from '../system/terminal';
import { execute, explained, programOf } from './execution';
import { watchMounts } from './left-mounts';
import { type PasswordOptions, passwordSystem } from './password-system';
import type { SessionSystem } from './session-system';
import { SUPERVISED_SIGNALS, type Supervision, supervise } from './supervise';
import { raiseTightLimits, type TightLimits } from './tight-limits';

/** What this process was given and must hand on. */
export interface MachineOptions extends PasswordOptions {
  readonly signals: SignalState;
  /** The caller's soft nofile; undefined where nobody recorded it. */
  readonly softNofile: bigint | undefined;
}

/** Builds it. From here on this process ignores what its caller ignored (nohup(1)). */
export function thisMachine(options: MachineOptions): SessionSystem {
  const { signals, softNofile } = options;
  const own = readLimits();
  const mapped = mappedMemory();
  const restoreTerminal = saveTerminal();
  // A supervisor must hear of its child's end, and R must be able to wait for its own children.
  const kept = {
    ...signals,
    ignored: signals.ignored.filter((number) => number !== signalNumber('SIGCHLD')),
  };
  ignoreSignals(kept.ignored);
  const ignored = new Set(SUPERVISED_SIGNALS.filter((name) => kept.ignored.includes(signalNumber(name))));
  const arrived: SignalName[] = [];
  let strangers: ReadonlySet<number> = new Set();
  let tight: TightLimits = {};

  return {
    ...passwordSystem(options, arrived),
    findAccount,
    joinGroups: (account) =>
      explained('groups', `${shown(account.name)}: cannot take the user's groups`, () =>
        becomeMemberOfGroups(account),
      ),
    prepareLimits: (start) => {
      const callers = softNofile ?? own.nofile.soft;
      reserveMemory();
      if (start === 'as su') resetLimitsAsSu(callers);
      else setLimit('nofile', { soft: callers, hard: own.nofile.hard });
    },
    takeSessionLimits: () => {
      tight = raiseTightLimits(own, mapped);
    },
    restoreLimits: () => restoreLimits(own),
    mayRaiseLimits,
    watchMounts,
    holdSignals: () => {
      catchSignals(
        SUPERVISED_SIGNALS.filter((name) => !ignored.has(name)),
        (name) => arrived.push(name),
      );
    },
    start: (account, privilege, command) => {
      adoptOrphans();
      // A program that became this one with exec may have left us its children.
      if (hasChildren())
        strangers = new Set(
          listProcesses()
            .filter(isOurs)
            .map(({ pid }) => pid),
        );
      return execute(account, privilege, command, () =>
        spawn(programOf(command, tight), { newSession: command.newSession, signals: kept }),
      );
    },
    replace: (account, privilege, command) =>
      execute(account, privilege, command, () => replaceProcess(programOf(command, {}), signals)),
    supervise: async (pid, options) => {
      // Node leaves when it only listens for signals; a timer of 25 days keeps it here.
      const awake = setInterval(() => undefined, 2 ** 31 - 1);
      const listen: Supervision['catchSignals'] = (names, handler) =>
        catchSignals(
          names.filter((name) => !ignored.has(name)),
          handler,
        );
      const end = await supervise({ pid, strangers, ...options }, { ...SUPERVISION, catchSignals: listen });
      clearInterval(awake);
      if ('signal' in end) restoreTerminal();
      return end;
    },
  };
}

function isOurs({ parent }: Process): boolean {
  return parent === process.pid;
}

const SUPERVISION: Omit<Supervision, 'catchSignals'> = {
  signalNumber,
  sendSignal,
  takeChildChanges,
  hasChildren,
  listProcesses,
  ownPid: process.pid,
  stopSelf,
  ownProcessGroup,
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};
