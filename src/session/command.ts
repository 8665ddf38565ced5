// What is executed: the command itself, or the login shell that starts it; pure.
import { type Bytes, fromText } from '../bytes';

/** A command line: `file` is looked up, `argv` is what it gets. */
export interface CommandLine {
  readonly file: Bytes;
  readonly argv: readonly Bytes[];
}

/** A command started as it is. */
export function directCommand(command: readonly Bytes[]): CommandLine {
  return { file: command[0] as Bytes, argv: command };
}

const NO_LOGIN = /\/(nologin|false|true|sync|halt|shutdown)$/;

/** How a family of shells hands its positional arguments to exec, each as one word. */
interface LoginShell {
  readonly names: RegExp;
  readonly script: string;
  /** Whether the first word after the script is $0 and no argument. */
  readonly takesName: boolean;
  /** csh knows -l only as its single flag; a `-` in front of argv[0] says the same (login(1)). */
  readonly loginBy: 'flag' | 'name';
}

const POSIX_SHELL: LoginShell = { names: /^/, script: 'exec "$@"', takesName: true, loginBy: 'flag' };

const OTHER_SHELLS: readonly LoginShell[] = [
  { names: /^fish$/, script: 'exec $argv', takesName: false, loginBy: 'flag' },
  { names: /^t?csh$/, script: 'exec $argv:q', takesName: false, loginBy: 'name' },
];

/**
 * The command through a login shell: the shell reads its profile, then execs the command. The arguments
 * travel as arguments, never as text that the shell parses. A shell that refuses logins is replaced by
 * /bin/sh, as it does not stop a command under root's su either.
 */
export function loginCommand(shell: Bytes, command: readonly Bytes[]): CommandLine {
  const file = NO_LOGIN.test(shell) ? fromText('/bin/sh') : shell;
  const name = file.slice(file.lastIndexOf('/') + 1);
  const { script, takesName, loginBy } = OTHER_SHELLS.find(({ names }) => names.test(name)) ?? POSIX_SHELL;
  return {
    file,
    argv: [
      ...(loginBy === 'flag' ? [file, fromText('-l')] : [`-${name}` as Bytes]),
      fromText('-c'),
      fromText(script),
      ...(takesName ? [name as Bytes] : []),
      ...command,
    ],
  };
}

/** The paths execvp(3) would try: the command itself when it holds a `/`, else one in each PATH directory. */
export function candidates(file: Bytes, path: Bytes | undefined): Bytes[] {
  if (file.includes('/')) return [file];
  return (path ?? '').split(':').map((directory) => `${directory === '' ? '.' : directory}/${file}` as Bytes);
}
