// Where libpam looks for a profile, and what the file there says.
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

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
  /** The file, and after it the files that it includes. */
  readonly text: string;
}

const DEEPEST_INCLUDE = 4;
const INCLUDE = /^[ \t]*(?:@include|-?\w+[ \t]+(?:include|substack))[ \t]+([^\s#]+)/gim;

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
      return { service, path, searched, problem: undefined, text: readWithIncludes(path, DEEPEST_INCLUDE) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') continue;
      return { service, path, searched, problem: `cannot be read (${code})`, text: '' };
    }
  }
  return { service, path: undefined, searched, problem: undefined, text: '' };
}

/** Good enough to say what a profile uses; what a rule means is not decided here. */
function readWithIncludes(path: string, depth: number): string {
  const text = readFileSync(path, 'latin1');
  if (depth === 0) return text;
  const included = [...text.matchAll(INCLUDE)].map(([, name = '']) => {
    try {
      return readWithIncludes(resolve('/etc/pam.d', name), depth - 1);
    } catch {
      return '';
    }
  });
  return [text, ...included].join('\n');
}
