// Users who have a password, and a module that asks questions and writes down the answers.
import './throwaway';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, scratch } from './profile';

const FACILITIES = {
  auth: 'auth',
  cred: 'auth',
  acct: 'account',
  chauthtok: 'password',
  open: 'session',
  close: 'session',
} as const;

/** What the module does; see pam_ask.c. */
export interface Question {
  /** Without it nothing is asked. */
  readonly text?: string;
  readonly echo?: boolean;
  readonly expect?: string;
  readonly times?: number;
  readonly stubborn?: boolean;
  readonly optional?: boolean;
  readonly info?: string;
  readonly error?: string;
  readonly code?: number;
}

/** Rules that ask, and what they were answered. */
export class Questions {
  readonly #log = join(scratch(), 'answers');
  readonly #module = compile(join(__dirname, 'pam_ask.c'), 'pam_ask.so', '-lpam');

  /** A rule of a profile that asks during one of libpam's calls. */
  rule(call: keyof typeof FACILITIES, question: Question): string {
    const words = Object.entries(question).flatMap(([name, value]) => {
      if (value === false) return [];
      return [value === true ? name : `[${name}=${String(value).replaceAll(']', '\\]')}]`];
    });
    return `${FACILITIES[call]} required ${this.#module} log=${this.#log} in=${call} ${words.join(' ')}`;
  }

  /** The answers so far, as bytes: `auth: secret`; `auth: none 19` where there was none but PAM's code. */
  answers(): string[] {
    if (!existsSync(this.#log)) return [];
    return readFileSync(this.#log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [call, hex = '', code] = line.split(' ');
        return `${call}: ${hex === 'none' ? `none ${code}` : Buffer.from(hex, 'hex').toString('latin1')}`;
      });
  }
}

/** A user of the test's own who has a password; both are fresh. */
export interface PasswordUser {
  readonly name: string;
  readonly uid: number;
  readonly password: string;
}

/**
 * Makes one. Lines are added, and files not written anew as useradd(8) and chpasswd(8) do, which could lose what another
 * test adds at the same time.
 * @param aging what follows the hash in /etc/shadow (shadow(5))
 */
export function passwordUser(
  options: { password?: string; aging?: string; locked?: boolean } = {},
): PasswordUser {
  const uid = 100_000 + Math.floor(Math.random() * 1_000_000_000);
  const name = `pw-${uid}`;
  const { password = `Pw "$\\' ${uid} é`, aging = '20000:0:99999:7:::', locked = false } = options;
  const hash = execFileSync('perl', ['-e', 'local $/; print crypt(<STDIN>, q($6$rounds=1000$saltsalt$))'], {
    input: password,
    encoding: 'utf8',
  });
  appendFileSync('/etc/group', `${name}:x:${uid}:\n`);
  appendFileSync('/etc/passwd', `${name}:x:${uid}:${uid}::/tmp:/bin/sh\n`);
  appendFileSync('/etc/shadow', `${name}:${locked ? '!' : ''}${hash}:${aging}\n`);
  return { name, uid, password };
}
