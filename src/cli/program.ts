// The command tree: which commands and options there are, and what is a usage error.
import { Command, CommanderError } from 'commander';
import { type Bytes, toText } from '../bytes';
import { Failure } from '../errors';
import { type AuthenticateOptions, authenticate } from './authenticate';
import { type ConfigOptions, showConfig } from './config';
import { ALL_NAMES, type OpenOptions, type OpenServices, open } from './open';
import { refusePasswordArgument, withPasswordOptions } from './password-options';
import { answer } from './report';

declare const __VERSION__: string;

/** Runs a command line and returns the exit status. Throws Failure. */
export async function runProgram(args: readonly Bytes[], services: OpenServices): Promise<number> {
  const separator = args.indexOf('--' as Bytes);
  const head = separator < 0 ? args : args.slice(0, separator);
  const command = separator < 0 ? undefined : args.slice(separator + 1);
  refusePasswordArgument(head);
  let status = 0;
  const program = commandTree(services, command, (value) => {
    status = value;
  });
  try {
    await program.parseAsync(head.map(withExplicitAll), { from: 'user' });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageFailure(error, head);
  }
}

function commandTree(
  services: OpenServices,
  command: readonly Bytes[] | undefined,
  setStatus: (status: number) => void,
): Command {
  const program = new Command('rsession-pam')
    .description('Run R as another user inside a real PAM session.')
    .version(__VERSION__)
    .exitOverride()
    .configureOutput({ writeOut: answer, writeErr: () => undefined });

  const openCommand = program
    .command('open')
    .usage('[options] <user> [-- <command> [args...]]')
    .description("open the user's PAM session and run a command in it (default: R)")
    .argument('<user>', 'the user to run as')
    .option('-p, --profile <name>', 'PAM profile (default: auth-pam-sessions-profile, else su)')
    .option('--on-exit <policy>', 'keep or close the PAM session when the command ends (default: keep)')
    .option('--login', "home directory and login environment, through the user's login shell")
    .option('-C, --cwd <dir>', "directory of the command (default: the caller's)")
    .option('-e, --env <NAME=VALUE>', 'set a variable (repeatable)', (value: string, earlier?: Bytes[]) => [
      ...(earlier ?? []),
      value as Bytes,
    ])
    .option('--preserve-env [names]', "keep the caller's variables, or those named with =A,B")
    .option('--tty <name>', 'PAM_TTY (default: the terminal on standard input)')
    .option('--ruser <name>', 'PAM_RUSER (default: the calling user)')
    .option('--rhost <name>', 'PAM_RHOST')
    .option('--allow-other', 'let libpam use the profile "other" where the named one does not exist')
    .option('--stop-timeout <seconds>', 'from a passed-on TERM to KILL (default: 10)')
    .option('--exec', 'become the command: no supervisor, the session stays open')
    .option('--dry-run', 'print what would be done and stop')
    .option('--json', 'print what would be done as JSON and stop')
    .option('-v, --verbose', 'report each step on standard error');
  withConfigOption(withPasswordOptions(openCommand)).action(async (user: Bytes, options: OpenOptions) => {
    if (command !== undefined && (command[0] ?? '') === '') {
      throw new Failure('usage', 'no command after --', { hint: 'without --, R is started' });
    }
    setStatus(await open(user, command, options, services));
  });

  const authenticateCommand = program
    .command('authenticate')
    .usage('[options] <user>')
    .description("check the user's password and account: exit status 0 or 1")
    .argument('<user>', 'the user to authenticate')
    .option('-p, --profile <name>', 'PAM profile (default: rstudio where it exists, else other)')
    .option('--tty <name>', 'PAM_TTY (default: the terminal on standard input)')
    .option('--ruser <name>', 'PAM_RUSER (default: the calling user)')
    .option('--rhost <name>', 'PAM_RHOST')
    .option('-v, --verbose', 'report each step on standard error');
  withConfigOption(withPasswordOptions(authenticateCommand)).action(
    async (user: Bytes, options: AuthenticateOptions) => {
      refuseCommand('authenticate', command);
      setStatus(await authenticate(user, options, services));
    },
  );

  const configCommand = program
    .command('config')
    .description('print every setting with its value and where it came from')
    .option('--json', 'print as JSON');
  withConfigOption(configCommand).action((options: ConfigOptions) => {
    refuseCommand('config', command);
    setStatus(showConfig(options, services.loadConfiguration));
  });

  // Not inherited from the program: commander copies these settings only to commands made by addCommand.
  for (const child of program.commands) {
    child.exitOverride().configureOutput({ writeOut: answer, writeErr: () => undefined });
  }
  return program;
}

function withConfigOption(command: Command): Command {
  return command.option(
    '-c, --config <file>',
    'settings (default: /etc/rstudio/rserver.conf where it exists)',
  );
}

function refuseCommand(name: string, command: readonly Bytes[] | undefined): void {
  if (command !== undefined) throw new Failure('usage', `${name} runs no command: nothing may follow --`);
}

/** An optional value would swallow the user's name: names come only with `=`, as with sudo. */
function withExplicitAll(arg: Bytes): string {
  return arg === '--preserve-env' ? `--preserve-env=${ALL_NAMES}` : arg;
}

function usageFailure(error: CommanderError, head: readonly Bytes[]): Failure {
  const command = ['open', 'authenticate', 'config'].includes(head[0] ?? '') ? ` ${head[0]}` : '';
  const help = `rsession-pam${command} --help`;
  if (error.code === 'commander.excessArguments' && head[0] === 'open') {
    return new Failure('usage', 'unexpected words after the user name: a command is separated by --', {
      hint: 'rsession-pam open [options] <user> -- <command> [args...]',
    });
  }
  if (error.code === 'commander.help' || error.code === 'commander.helpDisplayed') {
    return new Failure('usage', 'no command given', { hint: help });
  }
  // The value of an unknown option may be a password with a misspelt name in front.
  const message = toText(
    error.message.replace(/^error: /, '').replace(/(unknown option '--?[^'=]*)=[\s\S]*'/, "$1'") as Bytes,
  ).replace(/\s*\n\s*/g, ' ');
  return new Failure('usage', message.replace(/\p{Cc}/gu, '?'), { hint: help });
}
