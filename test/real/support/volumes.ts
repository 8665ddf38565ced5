// What pam_mount mounts: an encrypted directory (gocryptfs), and a remote one (sshfs) from a real sshd.
import '../../support/throwaway';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../../support/profile';
import { listens, Server } from './server';

const PORT = 2222;

/** One `<volume>` of pam_mount.conf.xml(5). */
export interface Volume {
  readonly user: string;
  readonly path: string;
  /** What it shows, as it is stored. */
  readonly directory: string;
  /** `~` is the home directory. */
  readonly mountPoint: string;
  readonly options: string;
}

/** Makes an encrypted directory of the user that this password opens. */
export function makeVault(user: string, password: string, mountPoint: string): Volume {
  const directory = join(scratch(), 'vault');
  mkdirSync(directory);
  execFileSync('chown', [`${user}:`, directory]);
  // The lowest cost of its key derivation that it allows.
  execFileSync('setpriv', [
    ...['--reuid', user, '--regid', user, '--clear-groups', 'env', `HOME=/home/${user}`],
    ...['gocryptfs', '-q', '-init', '-scryptn', '10', '-passfile', passwordFile(user, password), directory],
  ]);
  return { user, path: `gocryptfs#${directory}`, directory, mountPoint, options: 'nodev,nosuid,quiet' };
}

/** A directory that an sshd on this machine serves to the user. */
export function remoteVolume(user: string, directory: string): Volume {
  const options = `port=${PORT},password_stdin,nodev,nosuid`;
  return { user, path: `sshfs#%(USER)@127.0.0.1:${directory}`, directory, mountPoint: '~/remote', options };
}

/** Writes /etc/security/pam_mount.conf.xml. */
export function configurePamMount(...volumes: Volume[]): void {
  const lines = volumes.map(
    ({ user, path, mountPoint, options }) =>
      `<volume user="${user}" fstype="fuse" path="${path}" mountpoint="${mountPoint}" options="${options}" ssh="0" />`,
  );
  writeFileSync(
    '/etc/security/pam_mount.conf.xml',
    `<?xml version="1.0" encoding="utf-8" ?>
<!DOCTYPE pam_mount SYSTEM "pam_mount.conf.xml.dtd">
<pam_mount>
<debug enable="0" />
${lines.join('\n')}
<mntoptions allow="*" />
<mntoptions require="" />
<logout wait="0" hup="no" term="no" kill="no" />
<mkmountpoint enable="1" remove="true" />
</pam_mount>
`,
  );
}

/** A real sshd that takes the passwords of /etc/shadow and serves files. */
export async function startSshd(): Promise<Server> {
  const directory = scratch();
  const key = join(directory, 'key');
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  writeFileSync(
    join(directory, 'config'),
    `Port ${PORT}
ListenAddress 127.0.0.1
HostKey ${key}
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
`,
  );
  const [kind, bytes] = readFileSync(`${key}.pub`, 'utf8').split(' ');
  appendFileSync('/etc/ssh/ssh_known_hosts', `[127.0.0.1]:${PORT} ${kind} ${bytes}\n`);
  return Server.start('/usr/sbin/sshd', ['-D', '-e', '-f', join(directory, 'config')], () => listens(PORT));
}

/** How many file systems are mounted on a directory. */
export function mountsAt(directory: string): number {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => line.split(' ')[4] === directory).length;
}

/** How many sessions pam_mount counts for the user. */
export function countedSessions(user: string): number {
  const file = `/run/pam_mount/${user}`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

function passwordFile(user: string, password: string): string {
  const file = join(scratch(), 'password');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  execFileSync('chown', [user, file]);
  return file;
}
