// Mounts of this process's namespace, and who keeps one busy (proc(5), mountinfo).
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A mounted file system; `id` tells a new mount from an old one at the same place. */
export interface Mount {
  readonly id: string;
  readonly mountPoint: string;
}

/** A process that has a directory or file below a mount open. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** Which mount namespace this thread is in (mount_namespaces(7)). */
export function mountNamespace(): string {
  return target('/proc/thread-self/ns/mnt');
}

/** All mounts we see. */
export function listMounts(): Mount[] {
  return readFileSync('/proc/thread-self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [id, , , , mountPoint] = line.split(' ');
      return id && mountPoint ? [{ id, mountPoint: unescapeOctal(mountPoint) }] : [];
    });
}

/** Processes whose directory, root, program or open file lies below the mount point. */
export function holdersOf(mountPoint: string): Holder[] {
  const below = (link: string): boolean => link === mountPoint || link.startsWith(`${mountPoint}/`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const links = ['cwd', 'root', 'exe', ...listed(`/proc/${name}/fd`).map((fd) => `fd/${fd}`)];
      if (!links.some((link) => below(target(`/proc/${name}/${link}`)))) return [];
      return [{ pid: Number(name), command: commandName(name) }];
    });
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function commandName(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '?';
  }
}
