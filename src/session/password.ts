// Where the user's password comes from: decided before anything is opened; pure.
import type { Bytes } from '../bytes';
import type { Setting, Settings } from '../config/settings';
import { Failure } from '../errors';

/** A way to get the password. */
export type PasswordSource =
  | { readonly from: 'none' }
  | { readonly from: 'terminal' }
  | { readonly from: 'stdin' }
  | { readonly from: 'fd'; readonly fd: number }
  | { readonly from: 'credential'; readonly name: string; readonly file: string };

/** What the command line says about the password. */
export interface PasswordRequest {
  /** Every way that was named. */
  readonly ways: readonly { readonly option: string; readonly source: PasswordSource }[];
  /** Whether the password may be swapped out where it cannot be locked in memory. */
  readonly allowSwap: boolean;
}

/** What this machine offers. */
export interface PasswordSituation {
  readonly settings: Settings;
  readonly environment: ReadonlyMap<Bytes, Bytes>;
  /** The terminal on standard input. */
  readonly terminal: Bytes | undefined;
  /** What the caller had open; undefined where nobody recorded it. */
  readonly descriptors: readonly number[] | undefined;
  hasTerminal(): boolean;
}

const WAYS =
  'give it with --password (asks at the terminal), --password-stdin, --password-fd <n> or --password-credential <name>';

/**
 * The one source of the password. `need` says whether there must be one: when the settings ask for it, or
 * always. Throws Failure where that cannot be met.
 */
export function planPassword(
  request: PasswordRequest,
  situation: PasswordSituation,
  need: 'by setting' | 'always',
): Setting<PasswordSource> {
  const [first, second] = request.ways;
  if (first !== undefined && second !== undefined) {
    throw new Failure(
      'usage',
      `${first.option} and ${second.option} exclude each other: there is one password`,
    );
  }
  const configured = situation.settings['auth-pam-sessions-use-password'];
  if (first === undefined) {
    if (need === 'by setting' && !configured.value)
      return { value: { from: 'none' }, origin: configured.origin };
    if (situation.hasTerminal()) {
      return {
        value: { from: 'terminal' },
        origin: need === 'always' ? { from: 'default' } : configured.origin,
      };
    }
    throw new Failure('usage', 'a password is needed, and there is no terminal to ask for it', {
      hint: WAYS,
    });
  }
  if (first.source.from === 'terminal' && !situation.hasTerminal()) {
    throw new Failure('usage', '--password: there is no terminal to ask at', { hint: WAYS });
  }
  return { value: located(first.source, situation), origin: { from: 'option', option: first.option } };
}

/** systemd puts credentials into files of a directory that only the service can read (systemd.exec(5)). */
function located(source: PasswordSource, situation: PasswordSituation): PasswordSource {
  const { environment, descriptors, terminal } = situation;
  if (source.from === 'stdin' && terminal !== undefined) {
    throw new Failure(
      'usage',
      '--password-stdin: standard input is a terminal, which would show the password',
      {
        hint: '--password asks without showing it',
      },
    );
  }
  if (source.from === 'fd' && descriptors?.includes(source.fd) === false) {
    throw new Failure('usage', `--password-fd ${source.fd}: the caller has not opened this file descriptor`);
  }
  if (source.from !== 'credential') return source;
  const directory = environment.get('CREDENTIALS_DIRECTORY' as Bytes);
  if (directory === undefined) {
    throw new Failure(
      'usage',
      '--password-credential: CREDENTIALS_DIRECTORY is not set: no credentials were passed',
      {
        hint: 'systemd sets it for LoadCredential= and SetCredential=',
      },
    );
  }
  return { ...source, file: `${directory}/${source.name}` };
}

/** What is wrong with the name of a credential, or undefined. */
export function credentialNameProblem(name: string): string | undefined {
  return name === '' || name === '.' || name === '..' || name.includes('/')
    ? 'a credential is a file name in $CREDENTIALS_DIRECTORY'
    : undefined;
}

/** The source for messages; never the password. */
export function describeSource(source: PasswordSource): string {
  switch (source.from) {
    case 'none':
      return 'none';
    case 'terminal':
      return 'asked at the terminal';
    case 'stdin':
      return 'first line of standard input';
    case 'fd':
      return `file descriptor ${source.fd}`;
    case 'credential':
      return `credential "${source.name}"`;
  }
}
