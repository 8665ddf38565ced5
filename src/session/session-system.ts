// What the sequence needs of a machine: tests put another one in its place.
import type { Bytes } from '../bytes';
import type { CommandEnd } from '../errors';
import type { Transaction } from '../pam/transaction';
import type { MountWatch } from './left-mounts';
import type { PasswordSource } from './password';
import type { PlannedAccount, Privilege } from './who';

/** What is started inside the session. */
export interface SessionCommand {
  readonly file: Bytes;
  /** The paths to try for it, in turn. */
  readonly candidates: readonly Bytes[];
  readonly argv: readonly Bytes[];
  readonly environment: readonly Bytes[];
  readonly directory: Bytes | undefined;
  readonly newSession: boolean;
}

/** What talking to libpam with a password needs. Each call throws Failure. */
export interface PasswordSystem {
  /** Gets the password, and guards this process as long as it has it. */
  takePassword(source: PasswordSource): void;
  /** Wipes the password and lifts the guard; may be called again. */
  forgetPassword(): void;
  startTransaction(request: { service: string; user: Bytes; failDelay: boolean }): Transaction;
  /** The number of a termination signal that arrived at a question or while signals were held, or undefined. */
  arrivedSignal(): Promise<number | undefined>;
}

/** What running a plan needs of this machine and this process. Each call throws Failure. */
export interface SessionSystem extends PasswordSystem {
  findAccount(name: Bytes): PlannedAccount | undefined;
  joinGroups(account: PlannedAccount): void;
  /** Limits before the session sets its own: reset as su does, or as the caller had them. */
  prepareLimits(start: 'as su' | 'as the caller'): void;
  /** Reads the session's limits and, where they are too tight for us, raises our own again. */
  takeSessionLimits(): void;
  /** Our own limits back, as far as the kernel allows. */
  restoreLimits(): void;
  mayRaiseLimits(): boolean;
  /** From now on termination signals wait for us instead of ending this process. */
  holdSignals(): void;
  start(account: PlannedAccount, privilege: Privilege, command: SessionCommand): number;
  replace(account: PlannedAccount, privilege: Privilege, command: SessionCommand): never;
  /** Waits for the command, and with `endGroup` until nothing of its process group is left. */
  supervise(
    pid: number,
    options: { newSession: boolean; endGroup: boolean; stopTimeout: number },
  ): Promise<CommandEnd>;
  /** Looks at the mounts around the session, from before it is opened. */
  watchMounts(account: PlannedAccount, profileText: string): MountWatch;
}

/** Is told what happens. */
export interface SessionListener {
  /** A step was taken: what it was and what came of it. */
  step(name: string, outcome: string): void;
  /** Closing failed; this never changes how the command ended. */
  warn(text: string): void;
}
