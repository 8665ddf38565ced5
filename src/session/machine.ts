// The real SessionSystem: this machine's libpam, kernel and process.
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { type Bytes, fromText } from '../bytes';
import { Failure } from '../errors';
import { findAccount } from '../system/account';
import {
  adoptOrphans,
  changeDirectory,
  closeDescriptorsOnExec,
  hasChildren,
  ownProcessGroup,
  type Program,
  replaceProcess,
  type SignalState,
  sendSignal,
  spawn,
  stopSelf,
  takeChildChanges,
} from '../system/child';
import { asAccount, becomeMemberOfGroups, mayRaiseLimits } from '../system/identity';
import {
  type Limit,
  type Limits,
  mappedMemory,
  readLimit,
  readLimits,
  resetLimitsAsSu,
  restoreLimits,
  setLimit,
} from '../system/limits';
import { listMounts, type Mount } from '../system/mounts';
import { withoutOomProtection } from '../system/oom-score';
import { listProcesses, type Process } from '../system/processes';
import { catchSignals, ignoreSignals, type SignalName, signalNumber } from '../system/signals';
import { SystemError } from '../system/system-error';
import { saveTerminal } from '../system/terminal';
import { describeLeftMounts } from './left-mounts';
import { type PasswordOptions, passwordSystem } from './password-system';
import { type PlannedAccount, type SessionPlan, shown } from './plan';
import type { SessionCommand, SessionSystem } from './run';
import { SUPERVISED_SIGNALS, type Supervision, supervise } from './supervise';

/** What this process was given and must hand on. */
export interface MachineOptions extends PasswordOptions {
  readonly signals: SignalState;
  /** The caller's soft nofile; undefined where nobody recorded it. */
  readonly softNofile: bigint | undefined;
}

/**
 * Memory that the supervisor needs, in bytes: what it has mapped and some room, but not less than `least`.
 * What is mapped at the start varies with the heaps that glibc makes for each thread; a limit must not be
 * too small in one run and large enough in the next.
 */
const NEEDED = {
  as: { room: 128n << 20n, least: 1152n << 20n },
  data: { room: 64n << 20n, least: 256n << 20n },
} as const;

type MemoryLimit = keyof typeof NEEDED;

type TightLimits = Partial<Record<MemoryLimit, Limit>>;

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
  let mountsBefore: readonly Mount[] = [];
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
      mountsBefore = listMounts();
      if (start === 'as su') resetLimitsAsSu(callers);
      else setLimit('nofile', { soft: callers, hard: own.nofile.hard });
    },
    takeSessionLimits: () => {
      tight = raiseTightLimits(own, mapped);
    },
    restoreLimits: () => restoreLimits(own),
    mayRaiseLimits,
    leftMounts: (account, profileText) => describeLeftMounts(mountsBefore, account, profileText),
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

/** Runs `action`, which executes the command, with everything but the session's own state as the command needs it. */
function execute<T>(
  account: PlannedAccount,
  privilege: SessionPlan['privilege'],
  command: SessionCommand,
  action: () => T,
): T {
  closeDescriptorsOnExec();
  const asTarget = (): T => {
    enterDirectory(command.directory, account);
    return executed(command, action);
  };
  const execution = (): T =>
    privilege === 'root'
      ? explained('identity', `${shown(account.name)}: cannot take the user's identity`, () =>
          asAccount(account, asTarget),
        )
      : asTarget();
  try {
    return withoutOomProtection(execution);
  } finally {
    // Who closes the session must not stand in a directory that the session mounted.
    changeDirectory(fromText('/'));
  }
}

function enterDirectory(directory: Bytes | undefined, account: PlannedAccount): void {
  if (directory === undefined) return;
  try {
    changeDirectory(directory);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new Failure(
      'directory',
      `${shown(directory)}: ${shown(account.name)} cannot enter this directory: ${error.text}`,
      {
        hint:
          directory === account.home && error.code === 'ENOENT'
            ? 'the home directory does not exist: "session required pam_mkhomedir.so" makes it, --cwd / does without'
            : undefined,
      },
    );
  }
}

function executed<T>(command: SessionCommand, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const name = shown(command.file);
    if (error.code === 'ENOENT') {
      if (command.candidates.some((path) => existsSync(Buffer.from(path, 'latin1')))) {
        throw new Failure('not-found', `${name}: cannot run: its interpreter does not exist`, {
          hint: 'the program named behind #! in its first line, or the dynamic loader, is missing',
          cause: error,
        });
      }
      const path = command.environment.find((entry) => entry.startsWith('PATH='));
      throw new Failure('not-found', `${name}: command not found`, {
        hint: !command.file.includes('/')
          ? `the session has ${shown(path ?? ('no PATH' as Bytes))}`
          : undefined,
        cause: error,
      });
    }
    throw new Failure('cannot-run', `${name}: cannot run: ${error.text}`, {
      hint: RUN_HINTS[error.code],
      cause: error,
    });
  }
}

const RUN_HINTS: Readonly<Record<string, string>> = {
  EACCES: 'the user needs execute permission for the file and for every directory above it',
  ENOEXEC: 'a script needs a first line like "#!/bin/sh"',
  EAGAIN: "the user's limit of processes (nproc) is reached",
  E2BIG: 'arguments and environment together are too long (a quarter of the stack limit)',
};

/** Turns what the kernel refused into a failure of this kind. */
function explained<T>(kind: 'groups' | 'identity', what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new Failure(kind, `${what}: ${error.call}: ${error.text}`, { cause: error });
  }
}

/**
 * Under a session's small limit on memory this process could not go on. It gives itself its own limit
 * again, and the command gets the session's from prlimit(1), which runs as the user.
 */
function raiseTightLimits(own: Limits, mapped: Record<MemoryLimit, bigint>): TightLimits {
  const tight: TightLimits = {};
  for (const name of ['as', 'data'] as const) {
    const session = readLimit(name);
    const { room, least } = NEEDED[name];
    const needed = mapped[name] + room > least ? mapped[name] + room : least;
    if (session.soft >= needed) continue;
    tight[name] = session;
    if (setLimit(name, own[name])) continue;
    if (session.hard >= needed && setLimit(name, { soft: session.hard, hard: session.hard })) continue;
    const megabytes = (bytes: bigint): string => `${bytes >> 20n} MB`;
    throw new Failure(
      'limits',
      `the session's limit "${name}" of ${megabytes(session.hard)} is too small for the supervisor, which needs ` +
        `${megabytes(needed)} and cannot raise it for itself without CAP_SYS_RESOURCE`,
      { hint: '--exec runs the command without a supervisor, under any limit' },
    );
  }
  return tight;
}

function isExecutable(path: Bytes): boolean {
  try {
    const name = Buffer.from(path, 'latin1');
    accessSync(name, constants.X_OK);
    return statSync(name).isFile();
  } catch {
    return false;
  }
}

/** The program to execute; called as the user, whose permissions decide. */
function programOf(command: SessionCommand, tight: TightLimits): Program {
  const { candidates, argv, environment } = command;
  const limits = Object.entries(tight).map(([name, { soft, hard }]) => fromText(`--${name}=${soft}:${hard}`));
  const path = candidates.find(isExecutable);
  // A command that cannot be executed is tried all the same: the kernel says what is wrong with it.
  if (limits.length === 0 || path === undefined) return { candidates, argv, environment };
  const prlimit = ['/usr/bin/prlimit', '/bin/prlimit'].map(fromText).find(isExecutable);
  if (prlimit === undefined) {
    throw new Failure(
      'limits',
      `the session's limits (${limits.join(' ')}) need prlimit(1), which is not installed`,
      {
        hint: '--exec runs the command without a supervisor, under any limit',
      },
    );
  }
  return {
    candidates: [prlimit],
    argv: [fromText('prlimit'), ...limits, fromText('--'), path, ...argv.slice(1)],
    environment,
  };
}
