// Files that decide what root does: read only where nobody but root (or the caller itself) can write them.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../errors';

const LARGEST_FILE = 1 << 20;

/**
 * The text of a regular file that only root or the caller can write, and whose directories only they can
 * change. Throws a `config` failure that says what is wrong; undefined where the file does not exist.
 */
export function readTrustedFile(path: string): string | undefined {
  let descriptor: number;
  let real: string;
  try {
    real = realpathSync(path);
    // A FIFO without a writer would keep open(2) waiting.
    descriptor = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Failure(
      'config',
      `${path}: cannot be read: ${message.replace(/^[A-Z]+: /, '').replace(/,.*$/, '')}`,
    );
  }
  try {
    if (real === '/dev/null') return '';
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Failure('config', `${path}: is not a regular file`);
    requireTrusted(path, stats);
    for (let parent = dirname(real); ; parent = dirname(parent)) {
      requireTrusted(parent, statSync(parent));
      if (parent === '/') break;
    }
    if (stats.size > LARGEST_FILE)
      throw new Failure('config', `${path}: is larger than ${LARGEST_FILE} bytes`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function requireTrusted(path: string, stats: Stats): void {
  const owners = [0, process.getuid?.() ?? 0];
  if (!owners.includes(stats.uid)) {
    throw new Failure('config', `${path}: belongs to user id ${stats.uid}, who could change it`, {
      hint: `chown root ${path}`,
    });
  }
  const sticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  const groupWrites = (stats.mode & 0o020) !== 0 && stats.gid !== 0;
  if (!sticky && (groupWrites || (stats.mode & 0o002) !== 0)) {
    throw new Failure('config', `${path}: users other than root can write it`, {
      hint: `chmod go-w ${path}`,
    });
  }
}
