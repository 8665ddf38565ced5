// --login: the user's login shell reads its files and then becomes the command, with exactly the arguments given.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { limitsRule, openWords, ownUser, PROBE, putenvRule, report, runWords, su } from '../support/probe';
import { plainProfile, scratch } from '../support/profile';

/** Login shells, the files of the user that each reads at a login, and how it sets a variable. */
const SHELLS: readonly {
  shell: string;
  files: readonly string[];
  system?: string;
  set: (name: string) => string;
}[] = [
  {
    shell: '/bin/bash',
    files: ['.profile'],
    system: '/etc/profile.d/login-test.sh',
    set: (name) => `export ${name}=yes`,
  },
  { shell: '/bin/bash', files: ['.bash_profile'], set: (name) => `export ${name}=yes` },
  { shell: '/bin/zsh', files: ['.zshenv', '.zprofile', '.zlogin'], set: (name) => `export ${name}=yes` },
  {
    shell: '/usr/bin/fish',
    files: ['.config/fish/conf.d/a.fish', '.config/fish/config.fish'],
    set: (name) => `status is-login; and set -gx ${name} yes`,
  },
  {
    shell: '/bin/tcsh',
    files: ['.tcshrc', '.login'],
    system: '/etc/csh/login.d/login-test',
    set: (name) => `setenv ${name} yes`,
  },
  {
    shell: '/bin/ksh',
    files: ['.profile'],
    system: '/etc/profile.d/login-test.sh',
    set: (name) => `export ${name}=yes`,
  },
  {
    shell: '/bin/dash',
    files: ['.profile'],
    system: '/etc/profile.d/login-test.sh',
    set: (name) => `export ${name}=yes`,
  },
  {
    shell: '/usr/sbin/nologin',
    files: ['.profile'],
    system: '/etc/profile.d/login-test.sh',
    set: (name) => `export ${name}=yes`,
  },
  { shell: '/bin/false', files: ['.profile'], set: (name) => `export ${name}=yes` },
  { shell: '', files: ['.profile'], set: (name) => `export ${name}=yes` },
];

const ARGUMENTS = [
  'two words',
  '  spaces  ',
  '',
  "it's",
  '"double"',
  "'single'",
  '$HOME',
  '$' + '{HOME}',
  '$(id)',
  '`id`',
  'line\nbreak\n',
  '\n',
  '\ttab',
  '-n',
  '-c',
  '--',
  '--help',
  '-',
  '*',
  '?',
  '[a-z]*',
  '~',
  '~root',
  '{a,b}',
  'a;b',
  'a&b',
  'a|b',
  '>file',
  '<file',
  '#comment',
  '!history',
  '^a^b',
  '=ls',
  '%1',
  '%d%s',
  '\\',
  '\\n',
  'a\\',
  '(subshell)',
  'A=1',
  '@',
  'ü€😀',
  '\u0001\u007f',
  '$argv',
  '$1',
  '""',
];

const plain = plainProfile();

/** A user with this shell and these files. */
function userOf(
  shell: string,
  files: Readonly<Record<string, string>> = {},
): { name: string; home: string; uid: number } {
  const user = ownUser(shell);
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(user.home, file)), { recursive: true });
    writeFileSync(join(user.home, file), content);
  }
  execFileSync('chown', ['-R', user.name, user.home]);
  return user;
}

describe.each(SHELLS)('with the login shell "$shell" and $files', ({ shell, files, system, set }) => {
  const variable = (index: number): string => `READ_${index}`;
  const user = userOf(
    shell,
    Object.fromEntries(files.map((file, index) => [file, `${set(variable(index))}\n`])),
  );
  if (system !== undefined) {
    mkdirSync(dirname(system), { recursive: true });
    writeFileSync(system, `${set('READ_SYSTEM')}\n`);
  }

  test.each([[[]], [['--exec']], [['soft as 1000000']]])(
    'the login files are read, in the home directory (%p)',
    (more) => {
      const limits = more.filter((word) => word.startsWith('soft'));
      const profile = limits.length > 0 ? plainProfile(limitsRule(...limits)) : plain;
      const options = ['--login', ...more.filter((word) => word.startsWith('--'))];
      const { environment, properties } = report(openWords(options, profile, user.name, PROBE));
      expect(properties.cwd).toBe(user.home);
      expect(environment).toMatchObject(
        Object.fromEntries(files.map((_, index) => [variable(index), 'yes'])),
      );
      if (system !== undefined && !system.startsWith('/etc/csh')) expect(environment.READ_SYSTEM).toBe('yes');
    },
  );

  test('without --login none is read', () => {
    const { environment } = report(openWords([], plain, user.name, PROBE));
    expect(Object.keys(environment).filter((name) => name.startsWith('READ_'))).toEqual([]);
  });

  test('arguments arrive exactly, and the shell is gone', () => {
    const { argv, properties, environment } = report(
      openWords(['--login'], plain, user.name, PROBE, ...ARGUMENTS),
    );
    expect(argv.map((word) => Buffer.from(word, 'latin1').toString())).toEqual([PROBE, ...ARGUMENTS]);
    expect(properties['session leader']).toBe('yes');
    expect(environment).toMatchObject({
      HOME: user.home,
      USER: user.name,
      LOGNAME: user.name,
      SHELL: shell || '/bin/sh',
    });
  });

  test('what is inherited is the same as without --login', () => {
    const without = report(openWords(['-C', user.home], plain, user.name, PROBE)).properties;
    const login = report(openWords(['--login'], plain, user.name, PROBE)).properties;
    expect(login).toEqual(without);
  });

  test.each([
    { command: ['sh', '-c', 'exit 37'], status: 37 },
    { command: ['true'], status: 0 },
    { command: ['false'], status: 1 },
    { command: ['sh', '-c', 'kill -TERM $$'], status: 143 },
    { command: ['nonexistent-command'], status: 127 },
    { command: ['/etc/passwd'], status: 126 },
  ])('the status of $command is $status', ({ command, status }) => {
    const outcome = runWords(openWords(['--login'], plain, user.name, ...command));
    expect([outcome.status, outcome.stderr]).toEqual([
      status,
      status < 126 ? '' : expect.stringMatching(/./),
    ]);
  });

  if (!/false|nologin/.test(shell) && shell !== '') {
    test('the environment is that of su --login', () => {
      const env = { LANG: undefined, TERM: 'dumb' };
      const theirs = report(su(plain, user.name, shell, '-l', '-c', `exec ${PROBE}`), { env }).environment;
      const ours = report(openWords(['--login'], plain, user.name, PROBE), { env }).environment;
      // The shell's own notes on what it ran and where it was.
      const { _: ofOurs, ...mine } = ours;
      const { _: ofTheirs, ...others } = theirs;
      expect(mine).toEqual(others);
    });
  }
});

describe('the command is looked up', () => {
  test('on the PATH that the login files set', () => {
    const { name, home } = userOf('/bin/bash', { '.profile': 'PATH=$HOME/bin:$PATH\n' });
    mkdirSync(join(home, 'bin'));
    writeFileSync(join(home, 'bin/own-command'), '#!/bin/sh\necho "$0 $1"\n', { mode: 0o755 });
    const { status, stdout } = runWords(openWords(['--login'], plain, name, 'own-command', 'a b'));
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${home}/bin/own-command a b\n` });
  });

  test("with PAM's variables and --env visible to the login files", () => {
    const { name } = userOf('/bin/bash', { '.profile': 'export SEEN="$FROM_PAM $OPTION"\n' });
    const profile = plainProfile(putenvRule('FROM_PAM=pam'));
    const { environment } = report(openWords(['--login', '-e', 'OPTION=option'], profile, name, PROBE));
    expect(environment.SEEN).toBe('pam option');
  });

  test('and R is, where no command is given', () => {
    const { name } = userOf('/bin/bash', { '.profile': 'export SEEN=seen\n' });
    const words = openWords(['--login'], plain, name);
    words.pop();
    const { status, stdout } = runWords([
      ...words,
      '--',
      'R',
      '--vanilla',
      '-s',
      '-e',
      'cat(Sys.getenv("SEEN"), getwd())',
    ]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `seen /home/${name}` });
    const piped = runWords(words, { input: 'quit(status = 5)\n' });
    expect(piped).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("you must specify '--save', '--no-save'"),
    });
  });
});

describe('the directory', () => {
  test('is the home directory with --login, and the caller’s without', () => {
    const { name, home } = ownUser();
    expect(report(openWords(['--login'], plain, name, PROBE), { cwd: '/usr' }).properties.cwd).toBe(home);
    expect(report(openWords([], plain, name, PROBE), { cwd: '/usr' }).properties.cwd).toBe('/usr');
  });

  test.each(['/usr/share', '/'])('is --cwd %s in any case', (directory) => {
    const { name } = ownUser();
    for (const options of [[], ['--login'], ['--exec'], ['--login', '--exec']]) {
      expect(report(openWords([...options, '-C', directory], plain, name, PROBE)).properties.cwd).toBe(
        directory,
      );
    }
  });

  test.each(['--login', '--exec --login'])(
    'is an error with a hint where the home directory is missing (%s)',
    (options) => {
      const { status, stdout, stderr } = runWords(
        openWords(options.split(' '), plain, 'nohome', 'echo', 'ran'),
      );
      expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
      expect(stderr).toMatch(
        /^rsession-pam: \/home\/nohome: nohome cannot enter this directory: No such file or directory\nhint: .*pam_mkhomedir.*\n$/,
      );
    },
  );

  test('is made by pam_mkhomedir before it is entered', () => {
    const { name, home } = ownUser('/bin/bash');
    execFileSync('rmdir', [home]);
    const profile = plainProfile('required pam_mkhomedir.so');
    expect(report(openWords(['--login'], profile, name, PROBE)).properties.cwd).toBe(home);
  });

  test('is an error where the user may not enter it, although root may', () => {
    const directory = scratch();
    execFileSync('chmod', ['700', directory]);
    const { name } = ownUser();
    for (const options of [[], ['--login'], ['--exec']]) {
      const { status, stdout, stderr } = runWords(
        openWords([...options, '-C', directory], plain, name, 'echo', 'ran'),
      );
      expect({ status, stdout, stderr }).toEqual({
        status: 125,
        stdout: '',
        stderr: `rsession-pam: ${directory}: ${name} cannot enter this directory: Permission denied\n`,
      });
    }
  });
});
