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
  /** csh knows -l only as its single flag; a `-` in front of argv[0] says the same (login(1)). */
  readonly loginBy: 'flag' | 'name';
  /** What follows the script. */
  words(name: Bytes, command: readonly Bytes[]): readonly Bytes[];
}

const POSIX_SHELL: LoginShell = {
  names: /^/,
  script: 'exec "$@"',
  loginBy: 'flag',
  // The first word after the script is $0.
  words: (name, command) => [name, ...command],
};

const OTHER_SHELLS: readonly LoginShell[] = [
  { names: /^fish$/, script: 'exec $argv', loginBy: 'flag', words: (_name, command) => command },
  {
    // csh loses empty words and its exec fails with 1: sh takes over, with words that cannot be empty.
    names: /^t?csh$/,
    script: `exec /bin/sh -c 'for word do shift; set -- "$@" "\${word#x}"; done; exec "$@"' sh $argv:q`,
    loginBy: 'name',
    words: (_name, command) => command.map((word) => `x${word}` as Bytes),
  },
];

/**
 * The command through a login shell: the shell reads its profile, then execs the command. The arguments
 * travel as arguments, never as text that the shell parses. A shell that refuses logins is replaced by
 * /bin/sh, as it does not stop a command under root's su either.
 */
export function loginCommand(shell: Bytes, command: readonly Bytes[]): CommandLine {
  const file = NO_LOGIN.test(shell) ? fromText('/bin/sh') : shell;
  const name = file.slice(file.lastIndexOf('/') + 1);
  const known = OTHER_SHELLS.find(({ names }) => names.test(name)) ?? POSIX_SHELL;
  return {
    file,
    argv: [
      ...(known.loginBy === 'flag' ? [file, fromText('-l')] : [`-${name}` as Bytes]),
      fromText('-c'),
      fromText(known.script),
      ...known.words(name as Bytes, command),
    ],
  };
}

/** The paths execvp(3) would try: the command itself when it holds a `/`, else one in each PATH directory. */
export function candidates(file: Bytes, path: Bytes | undefined): Bytes[] {
  if (file.includes('/')) return [file];
  return (path ?? '').split(':').map((directory) => `${directory === '' ? '.' : directory}/${file}` as Bytes);
}
