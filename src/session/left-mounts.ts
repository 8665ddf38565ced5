// What a closed session leaves mounted: a busy encrypted home stays readable, and nothing else says so.
import { type Bytes, toText } from '../bytes';
import { type Holder, holdersOf, listMounts, type Mount, mountNamespace } from '../system/mounts';
import { sessionsOfPamMount } from '../system/pam-mount';

/** Looks at the mounts around one session. */
export interface MountWatch {
  /** The session is open: what has been mounted since the watch began is its own. */
  opened(): void;
  /** The session is closed: a sentence for each mount that should be gone, with who keeps it busy. */
  left(): string[];
}

/** Begins to watch, before the session is opened. */
export function watchMounts(
  account: { readonly name: Bytes; readonly home: Bytes },
  profileText: string,
): MountWatch {
  const name = toText(account.name);
  const usesPamMount = /^[^#]*pam_mount\.so/m.test(profileText);
  const before = listMounts();
  const namespace = mountNamespace();
  // pam_mount shares its mounts among a user's sessions and unmounts them when the last one closes.
  const shared = usesPamMount && sessionsOfPamMount(name) > 0 ? below(before, toText(account.home)) : [];
  let own: readonly Mount[] = shared;
  return {
    opened: () => {
      // In a namespace of its own the session's mounts end with its processes, and every mount has a new id.
      if (mountNamespace() !== namespace) return;
      own = [...shared, ...without(listMounts(), before).filter(isOfSession)];
    },
    left: () => {
      if (usesPamMount && sessionsOfPamMount(name) > 0) return [];
      const now = new Set(listMounts().map(({ id }) => id));
      return own.filter(({ id }) => now.has(id)).map(({ mountPoint }) => describe(mountPoint));
    },
  };
}

function below(mounts: readonly Mount[], home: string): Mount[] {
  return mounts.filter(({ mountPoint }) => mountPoint === home || mountPoint.startsWith(`${home}/`));
}

function without(mounts: readonly Mount[], others: readonly Mount[]): Mount[] {
  const known = new Set(others.map(({ id }) => id));
  return mounts.filter(({ id }) => !known.has(id));
}

/** /run belongs to services, such as logind, which keeps /run/user/<uid> for a while on purpose. */
function isOfSession({ mountPoint }: Mount): boolean {
  return !mountPoint.startsWith('/run/');
}

function describe(mountPoint: string): string {
  const holders = holdersOf(mountPoint).map(describeHolder).join(', ');
  const busy = holders === '' ? '' : `: kept busy by ${holders}`;
  return `${mountPoint} is still mounted after the session was closed${busy}`;
}

function describeHolder({ pid, command }: Holder): string {
  return `${command} (${pid})`;
}
