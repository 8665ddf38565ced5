// Where libpam looks for a profile, and what the file there says.
import { readFileSync, statSync } from 'node:fs';

/** What libpam will use for a service name. */
export interface ProfileFile {
  /** The service name, in the lower case in which pam_start(3) looks for it. */
  readonly service: string;
  /** The file that is used; undefined where there is none. */
  readonly path: string | undefined;
  /** The files looked for, in libpam's order. */
  readonly searched: readonly string[];
  /** Why the file cannot serve: it is a directory, or not readable. */
  readonly problem: string | undefined;
  readonly text: string;
}

const DIRECTORIES = ['/etc/pam.d', '/usr/lib/pam.d'];

/** Finds the profile of a service as libpam 1.4 and newer do: the first file wins, nothing is merged. */
export function findProfile(name: string): ProfileFile {
  const service = name.toLowerCase();
  const searched = DIRECTORIES.map((directory) => `${directory}/${service}`);
  for (const path of searched) {
    try {
      if (statSync(path).isDirectory()) {
        return { service, path, searched, problem: 'is a directory', text: '' };
      }
      return { service, path, searched, problem: undefined, text: readFileSync(path, 'latin1') };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') continue;
      return { service, path, searched, problem: `cannot be read (${code})`, text: '' };
    }
  }
  return { service, path: undefined, searched, problem: undefined, text: '' };
}
