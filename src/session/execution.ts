// Executes the command as the user: identity, directory, descriptors, and what a failure means.
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { type Bytes, fromText, shown } from '../bytes';
import { Failure } from '../errors';
import { changeDirectory, closeDescriptorsOnExec, type Program } from '../system/child';
import { asAccount } from '../system/identity';
import { withoutOomProtection } from '../system/oom-score';
import { SystemError } from '../system/system-error';
import type { SessionPlan } from './plan';
import type { SessionCommand } from './session-system';
import type { TightLimits } from './tight-limits';
import type { PlannedAccount } from './who';

/** Runs `action`, which executes the command, with everything but the session's own state as the command needs it. */
export function execute<T>(
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
export function explained<T>(kind: 'groups' | 'identity', what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new Failure(kind, `${what}: ${error.call}: ${error.text}`, { cause: error });
  }
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
export function programOf(command: SessionCommand, tight: TightLimits): Program {
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
    argv: [fromText('prlimit'), ...limits, fromText('--'), ...withArgv0(command, path)],
    environment,
  };
}

/** prlimit(1) names the program by its path; another argv[0], as of a login shell, takes bash's exec. */
function withArgv0({ file, argv: [argv0 = file, ...words] }: SessionCommand, path: Bytes): Bytes[] {
  if (argv0 === file) return [path, ...words];
  return [...['/bin/bash', '-p', '-c', 'exec -a "$0" "$@"'].map(fromText), argv0, path, ...words];
}
