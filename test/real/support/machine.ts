// The machine under the profiles: its own rules (/etc/pam.d/common-*), users' passwords, and the profiles we ship.
import '../../support/throwaway';
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

/** Modules whose packages put themselves into /etc/pam.d/common-*, by their names in pam-auth-update(8). */
export type MachineModule = 'krb5' | 'sss' | 'libpam-mount' | 'mkhomedir';

const ALL: readonly MachineModule[] = ['krb5', 'sss', 'libpam-mount', 'mkhomedir'];

/** Makes /etc/pam.d/common-* what they are where these and no other of the packages are installed. */
export function setMachineRules(...modules: MachineModule[]): void {
  const others = ALL.filter((module) => !modules.includes(module));
  const update = (...words: string[]): void => {
    execFileSync('pam-auth-update', words, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  if (others.length > 0) update('--package', '--disable', ...others);
  if (modules.length > 0) update('--enable', ...modules);
}

/** Copies a profile to /etc/pam.d as it is shipped, and returns its name. */
export function installProfile(name: string): string {
  copyFileSync(join(__dirname, '../../../profiles', name), `/etc/pam.d/${name}`);
  return name;
}

/** Gives the user a password in /etc/shadow, or none at all. */
export function setPassword(user: string, password: string | undefined): void {
  if (password === undefined) execFileSync('usermod', ['-p', '!', user]);
  // The lowest cost: nobody has to be kept from guessing.
  else execFileSync('chpasswd', ['-c', 'SHA512', '-s', '1000'], { input: `${user}:${password}\n` });
}
