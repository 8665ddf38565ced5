// Profiles for tests: each gets a name of its own, and a module that writes down what libpam calls.
import './throwaway';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

let count = 0;

/** Writes a profile under a fresh name and returns the name. */
export function writeProfile(...lines: string[]): string {
  const name = `test-${process.pid}-${++count}`;
  writeFileSync(`/etc/pam.d/${name}`, `${lines.join('\n')}\n`);
  return name;
}

/** What root needs and nothing else; more session rules can follow. */
export function plainProfile(...session: string[]): string {
  return writeProfile(
    'auth sufficient pam_rootok.so',
    'account required pam_permit.so',
    'session required pam_permit.so',
    ...session.map((rule) => `session ${rule}`),
  );
}

/** A directory of the test's own below /tmp, open to every user. */
export function scratch(): string {
  const directory = mkdtempSync('/tmp/test-');
  execFileSync('chmod', ['1777', directory]);
  return directory;
}

/** Compiles C once for all workers. */
export function compile(source: string, library: string, ...flags: string[]): string {
  const output = join('/var/tmp', library);
  if (!existsSync(output)) {
    const own = `${output}.${process.pid}`;
    execFileSync('gcc', ['-shared', '-fPIC', '-Wall', '-Werror', '-o', own, source, ...flags]);
    renameSync(own, output);
  }
  return output;
}

/** A profile that records every call of libpam, with what else its rules do. */
export class RecordedProfile {
  readonly name: string;
  readonly #log: string;

  /** @param codes what the recording module returns, e.g. `open=14`; @param more further rules */
  constructor(codes: readonly string[] = [], ...more: string[]) {
    const module = compile(join(__dirname, 'pam_record.c'), 'pam_record.so', '-lpam');
    this.#log = join(scratch(), 'calls');
    const rule = `required ${module} log=${this.#log} ${codes.join(' ')}`;
    this.name = writeProfile(
      `auth ${rule}`,
      'auth required pam_rootok.so',
      `account ${rule}`,
      `session ${rule}`,
      ...more,
    );
  }

  /** The calls so far: `auth`, `acct`, `cred`, `open`, `close`, `delete`, `end status=…`, each as root. */
  calls(): string[] {
    if (!existsSync(this.#log)) return [];
    return readFileSync(this.#log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replace(/ uid=0 euid=0$/, ''));
  }

  forget(): void {
    rmSync(this.#log, { force: true });
  }
}
