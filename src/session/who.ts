// Who asks for whose session: the account, and whether the caller may; pure.
import { type Bytes, shown } from '../bytes';
import { Failure } from '../errors';

export interface PlannedAccount {
  readonly name: Bytes;
  readonly uid: number;
  readonly gid: number;
  readonly home: Bytes;
  readonly shell: Bytes;
}

/** Who calls, and who this machine knows. */
export interface People {
  readonly caller: { readonly uid: number; readonly effectiveUid: number; readonly name: Bytes };
  findAccount(name: Bytes): PlannedAccount | undefined;
  findAccountById(uid: number): PlannedAccount | undefined;
}

/** root switches to the account; the account itself can open a session only for itself. */
export type Privilege = 'root' | 'same-user';

export function requireAccount(name: Bytes, people: People): PlannedAccount {
  if (name === '') throw new Failure('unknown-user', 'the user name is empty');
  const account = people.findAccount(name);
  if (account !== undefined) return account;
  const namesake = /^\d{1,10}$/.test(name) ? people.findAccountById(Number(name)) : undefined;
  throw new Failure('unknown-user', `${shown(name)}: there is no such user`, {
    hint:
      namesake !== undefined
        ? `user id ${name} is "${shown(namesake.name)}": a user is given by name`
        : `"getent passwd ${shown(name)}" asks the same sources`,
  });
}

export function planPrivilege(account: PlannedAccount, caller: People['caller'], show: boolean): Privilege {
  refuseSetuid(caller);
  if (caller.uid === 0) return 'root';
  if (caller.uid === account.uid) return 'same-user';
  if (show) return 'root';
  throw new Failure('not-allowed', onlyRoot(account, caller), {
    hint: 'run it as root, for example with sudo',
  });
}

/** As a setuid program it would be root for everybody. */
export function refuseSetuid(caller: People['caller']): void {
  if (caller.uid === caller.effectiveUid) return;
  throw new Failure('not-allowed', 'must not be installed setuid: run it as root, for example with sudo');
}

export function onlyRoot(account: PlannedAccount, caller: People['caller']): string {
  return `${shown(account.name)}: only root can open a session for another user, and this is "${shown(caller.name)}"`;
}
