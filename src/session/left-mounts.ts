// What a closed session leaves mounted: a busy encrypted home stays readable, and nothing else says so.
import type { Bytes } from '../bytes';
import { toText } from '../bytes';
import { type Holder, holdersOf, listMounts, type Mount } from '../system/mounts';
import { sessionsOfPamMount } from '../system/pam-mount';

/** One warning for each mount that should be gone. */
export function describeLeftMounts(
  before: readonly Mount[],
  account: { readonly name: Bytes; readonly home: Bytes },
  profileText: string,
): string[] {
  // pam_mount unmounts when the last of a user's sessions closes.
  const usesPamMount = /^[^#]*pam_mount\.so/m.test(profileText);
  if (usesPamMount && sessionsOfPamMount(toText(account.name)) > 0) return [];
  const old = new Set(before.map(({ id }) => id));
  const home = `${toText(account.home)}/`;
  return listMounts()
    .filter(({ id, mountPoint }) => !old.has(id) || (usesPamMount && mountPoint.startsWith(home)))
    .map(({ mountPoint }) => {
      const holders = holdersOf(mountPoint).map(describeHolder).join(', ');
      return `${mountPoint} is still mounted after the session was closed${holders === '' ? '' : `: kept busy by ${holders}`}`;
    });
}

function describeHolder({ pid, command }: Holder): string {
  return `${command} (${pid})`;
}
