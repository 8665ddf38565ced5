// The options that say where the password comes from: the same for every command that takes one.
import type { Command } from 'commander';
import { type Bytes, shown, toText } from '../bytes';
import { Failure } from '../errors';
import { credentialNameProblem, type PasswordRequest, type PasswordSource } from '../session/password';

/** As commander collects them. */
export interface PasswordOptions {
  readonly password?: boolean;
  readonly passwordStdin?: boolean;
  readonly passwordFd?: Bytes;
  readonly passwordCredential?: Bytes;
  readonly allowSwap?: boolean;
}

/** Adds the options to a command. */
export function withPasswordOptions(command: Command): Command {
  return command
    .option('--password', 'ask for the password at the terminal')
    .option('--password-stdin', 'the password is the first line of standard input')
    .option('--password-fd <n>', 'the password is the first line of a file descriptor')
    .option('--password-credential <name>', 'the password is a file in $CREDENTIALS_DIRECTORY (systemd)')
    .option('--allow-swap', 'go on where the password cannot be locked in memory');
}

/** What the options ask for. Throws Failure where they make no sense. */
export function passwordRequest(options: PasswordOptions): PasswordRequest {
  const ways: { option: string; source: PasswordSource }[] = [];
  if (options.password) ways.push({ option: '--password', source: { from: 'terminal' } });
  if (options.passwordStdin) ways.push({ option: '--password-stdin', source: { from: 'stdin' } });
  if (options.passwordFd !== undefined) {
    ways.push({ option: '--password-fd', source: { from: 'fd', fd: parseDescriptor(options.passwordFd) } });
  }
  if (options.passwordCredential !== undefined) {
    const name = toText(options.passwordCredential);
    const problem = credentialNameProblem(name);
    if (problem !== undefined)
      throw new Failure('usage', `--password-credential ${shown(options.passwordCredential)}: ${problem}`);
    ways.push({ option: '--password-credential', source: { from: 'credential', name, file: name } });
  }
  return { ways, allowSwap: options.allowSwap ?? false };
}

/**
 * Refuses a password among the arguments before anything else looks at them: every user of the machine can
 * read a command line, and no message of ours must repeat it.
 */
export function refusePasswordArgument(args: readonly Bytes[]): void {
  // Misspelt ones as well: `-password=x` would be a profile named `assword=x`.
  const option = args.find(
    (arg) => /^--?pas[a-z-]*=/i.test(arg) && !/^--password-(fd|credential)=/.test(arg),
  );
  if (option === undefined) return;
  throw new Failure(
    'usage',
    `${option.slice(0, option.indexOf('='))} takes no value: every user of this machine can read a command line`,
    { hint: '--password asks at the terminal, --password-stdin and --password-fd <n> read a line' },
  );
}

function parseDescriptor(text: Bytes): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  // Not shown: it may be a password.
  throw new Failure('usage', '--password-fd: must be the number of an open file descriptor');
}
