// What the command finds in its environment, and that nothing which runs as root ever does.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  limitsRule,
  openWords,
  ownUser,
  PROBE,
  putenvRule,
  readBytes,
  report,
  runWords,
  su,
  writeScratch,
} from '../support/probe';
import { compile, plainProfile, scratch } from '../support/profile';
import { run, shell } from '../support/tool';

/** What the test's own callers have; nothing else comes from outside. */
const CALLER = { TERM: 'xterm-256color', LANG: 'de_DE.UTF-8' };

const plain = plainProfile();

/** The PATH that login.defs(5) gives to a login. */
function loginPath(name: 'ENV_PATH' | 'ENV_SUPATH'): string {
  const line = new RegExp(`^${name}\\s+PATH=(.*)$`, 'm').exec(readFileSync('/etc/login.defs', 'utf8'));
  return line?.[1] ?? 'not set';
}

/** The environment that the probe has under these options, profile and caller. */
function environment(
  options: readonly string[],
  env: NodeJS.ProcessEnv = CALLER,
  profile = plain,
  user = 'alice',
) {
  return report(openWords(options, profile, user, PROBE), { env }).environment;
}

const IDENTITY = { HOME: '/home/alice', SHELL: '/bin/bash', USER: 'alice', LOGNAME: 'alice' };

describe('the default environment', () => {
  test.each([[[]], [['--exec']]])('is exactly this (%p)', (options) => {
    expect(environment(options)).toEqual({ ...IDENTITY, ...CALLER, PATH: loginPath('ENV_PATH') });
  });

  test('has the PATH of the superuser for root', () => {
    expect(environment([], CALLER, plain, 'root')).toEqual({
      ...CALLER,
      HOME: '/root',
      SHELL: '/bin/bash',
      USER: 'root',
      LOGNAME: 'root',
      PATH: loginPath('ENV_SUPATH'),
    });
  });

  test('is that of su --login, and has the language besides', () => {
    const { SHELL, LANG, ...theirs } = report(su(plain, 'alice', PROBE, '-l'), { env: CALLER }).environment;
    const ours = environment([]);
    expect([SHELL, LANG]).toEqual([PROBE, undefined]);
    expect(ours).toEqual({ ...theirs, SHELL: '/bin/bash', LANG: CALLER.LANG });
  });

  test.each(['TERM', 'COLORTERM', 'NO_COLOR', 'LANG', 'LC_ALL', 'LC_TIME', 'LC_ANYTHING', 'TZ'])(
    'keeps %s of the caller',
    (name) => {
      expect(environment([], { [name]: 'a value' })[name]).toBe('a value');
    },
  );

  test.each([
    ['XDG_RUNTIME_DIR', '/run/user/0'],
    ['DBUS_SESSION_BUS_ADDRESS', 'unix:path=/run/user/0/bus'],
    ['NODE_OPTIONS', '--require=/nonexistent/module.js'],
    ['NODE_EXTRA_CA_CERTS', '/nonexistent'],
    ['LD_LIBRARY_PATH', '/nonexistent'],
    ['BASH_ENV', '/nonexistent'],
    ['ENV', '/nonexistent'],
    ['R_HOME', '/nonexistent'],
    ['SUDO_USER', 'somebody'],
    ['MAIL', '/var/mail/root'],
    ['OLDPWD', '/root'],
    ['PWD', '/root'],
    ['SHLVL', '7'],
    ['HOME', '/root'],
    ['USER', 'somebody'],
    ['SECRET', 'word'],
    ['RSESSION_PAM_START', 'nofile=5'],
  ])('has no %s=%s of the caller', (name, value) => {
    expect(environment([], { ...CALLER, [name]: value })).toEqual(environment([]));
  });

  test('has nothing of a library that the caller preloads', () => {
    const library = compile(join(__dirname, '../support/probe_preload.c'), 'probe_preload.so');
    expect(environment([], { ...CALLER, LD_PRELOAD: library })).toEqual(environment([]));
  });
});

describe('variables of PAM', () => {
  test('come through exactly, and override those of the account and of the caller', () => {
    const profile = plainProfile(
      putenvRule(
        'PATH=/opt/bin',
        'TERM=pam',
        'LANG=pam',
        'HOME=/pam',
        'EMPTY=',
        'SPACES= a  b ',
        'LINES=1\n2',
      ),
    );
    expect(environment([], CALLER, profile)).toEqual({
      ...IDENTITY,
      TERM: 'pam',
      LANG: 'pam',
      HOME: '/pam',
      PATH: '/opt/bin',
      EMPTY: '',
      SPACES: ' a  b ',
      LINES: '1\n2',
    });
  });

  test('of an envfile, and of a configuration that the user has written, are those that su gets', () => {
    const { name, home } = ownUser();
    writeFileSync(join(home, '.pam_environment'), 'OF_THE_USER DEFAULT="mine @{HOME}"\n');
    const profile = plainProfile(
      `required pam_env.so envfile=${writeScratch('FROM_FILE=of the file\n')}`,
      'required pam_env.so readenv=0 user_readenv=1',
    );
    const theirs = report(su(profile, name, PROBE, '-c', 'x'), { env: CALLER }).environment;
    const ours = environment([], CALLER, profile, name);
    expect(theirs).toMatchObject({ OF_THE_USER: `mine ${home}`, FROM_FILE: 'of the file' });
    expect(ours).toMatchObject({ OF_THE_USER: theirs.OF_THE_USER, FROM_FILE: theirs.FROM_FILE });
  });
});

describe('--env', () => {
  test('comes last: it overrides PAM, the account and the caller', () => {
    const profile = plainProfile(putenvRule('PATH=/opt/bin', 'FROM_PAM=yes'));
    const options = [
      '-e',
      'PATH=/mine',
      '--env',
      'FROM_PAM=no',
      '--env=TERM=mine',
      '-eHOME=/mine',
      '-e',
      'EMPTY=',
      '-e',
      'A=b=c',
    ];
    expect(environment(options, CALLER, profile)).toEqual({
      ...IDENTITY,
      LANG: CALLER.LANG,
      PATH: '/mine',
      FROM_PAM: 'no',
      TERM: 'mine',
      HOME: '/mine',
      EMPTY: '',
      A: 'b=c',
    });
  });

  test('the last of several for one name counts', () => {
    expect(environment(['-e', 'A=1', '-e', 'A=2'])).toMatchObject({ A: '2' });
  });
});

describe('--preserve-env', () => {
  const theirs = { VARIABLE: 'kept', PATH: process.env.PATH, LD_LIBRARY_PATH: '/nonexistent' };
  const login = {
    XDG_RUNTIME_DIR: '/run/user/0',
    XDG_SESSION_ID: '1',
    DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x',
    MAIL: '/var/mail/root',
    PWD: '/',
    SUDO_USER: 'x',
  };

  test("keeps everything but what belongs to the caller's own login", () => {
    expect(environment(['--preserve-env'], { ...CALLER, ...theirs, ...login })).toEqual({
      ...IDENTITY,
      ...CALLER,
      ...theirs,
    });
  });

  test('with names keeps those besides the usual ones, whatever they are', () => {
    const options = ['--preserve-env=VARIABLE,XDG_RUNTIME_DIR,MISSING'];
    expect(environment(options, { ...CALLER, ...theirs, ...login })).toEqual({
      ...IDENTITY,
      ...CALLER,
      PATH: loginPath('ENV_PATH'),
      VARIABLE: 'kept',
      XDG_RUNTIME_DIR: '/run/user/0',
    });
  });

  test("does not stop PAM's variables and --env from overriding", () => {
    const profile = plainProfile(putenvRule('VARIABLE=of PAM', 'OTHER=of PAM'));
    expect(
      environment(['--preserve-env', '-e', 'OTHER=of --env'], { ...CALLER, ...theirs }, profile),
    ).toMatchObject({
      VARIABLE: 'of PAM',
      OTHER: 'of --env',
    });
  });
});

describe('bytes that are not UTF-8', () => {
  // printf(1) writes them, as JavaScript can hand over UTF-8 only.
  const BYTES = '\xff\xfe \xe4\xf6\xfc \xc3';
  const written = Buffer.from(BYTES, 'latin1').reduce((text, byte) => `${text}\\${byte.toString(8)}`, '');

  test.each(['', '--exec', '--login'])(
    'pass unchanged in arguments, in the environment and through PAM (%s)',
    (option) => {
      const { name } = ownUser('/bin/sh');
      const profile = plainProfile(putenvRule(`FROM_PAM=${BYTES}`));
      const { status, stdout, stderr } = shell(
        `bytes=$(printf '${written}'); LC_BYTES=$bytes exec "$TOOL" open ${option} -p ${profile} -e "OPTION=$bytes" ${name} -- ${PROBE} "$bytes"`,
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { argv, env } = JSON.parse(stdout);
      expect(argv).toEqual([PROBE, BYTES]);
      expect(env).toEqual(
        expect.arrayContaining([`LC_BYTES=${BYTES}`, `OPTION=${BYTES}`, `FROM_PAM=${BYTES}`]),
      );
    },
  );

  test('pass unchanged in the name of the command and of the directory', () => {
    const directory = scratch();
    const { status, stdout, stderr } = shell(
      `bytes=$(printf '${written}'); mkdir "${directory}/$bytes"; chmod 755 "${directory}/$bytes"; ` +
        `cp ${PROBE} "${directory}/$bytes/$bytes"; cp ${PROBE} "${directory}/$bytes/"; ` +
        `exec "$TOOL" open -p ${plain} -C "${directory}/$bytes" alice -- "./$bytes"`,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ cwd: `${directory}/${BYTES}`, argv: [`./${BYTES}`] });
  });
});

test.each([[[]], [['--exec']], [['--login']]])(
  'values and arguments of 100,000 bytes pass (%p)',
  (options) => {
    const { name } = ownUser('/bin/sh');
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(100_000)) as [
      string,
      string,
      string,
      string,
    ];
    const profile = plainProfile(putenvRule(`FROM_PAM=${a}`));
    const words = openWords([...options, '-e', `OPTION=${b}`], profile, name, PROBE, d);
    const { argv, environment } = report(words, { env: { ...CALLER, LC_LONG: c } });
    expect(environment.FROM_PAM).toBe(a);
    expect(environment.OPTION).toBe(b);
    expect(environment.LC_LONG).toBe(c);
    expect(argv[1]).toBe(d);
  },
);

describe("nothing that runs as root sees the session's environment", () => {
  const library = compile(join(__dirname, '../support/probe_preload.c'), 'probe_preload.so');

  /** A trap in the session's environment: each program that falls in writes a line with its four user ids. */
  function trap() {
    const user = ownUser('/bin/bash');
    const directory = scratch();
    const log = join(directory, 'log');
    writeFileSync(log, '');
    execFileSync('chmod', ['666', log]);
    const ids = `sed -n 's/^Uid:\\t//p' /proc/$$/status | tr '\\t' ' ' | sed 's|$| '"$0"'|' >>${log}`;
    // What an attacker has who may write the environment: a directory in front on PATH, and files that programs read.
    const bin = join(user.home, 'bin');
    mkdirSync(bin);
    for (const name of ['prlimit', 'sh', 'bash', 'env', 'node', 'readlink', 'su', 'R']) {
      writeFileSync(
        join(bin, name),
        `#!/bin/bash -p\nunset LD_PRELOAD\n(PATH=/usr/bin:/bin; ${ids})\nPATH=/usr/bin:/bin exec ${name} "$@"\n`,
        { mode: 0o755 },
      );
    }
    const bashEnv = join(user.home, 'bash_env');
    writeFileSync(bashEnv, `(unset LD_PRELOAD; ${ids.replace('$0', '$0 BASH_ENV')})\n`);
    const module = join(user.home, 'module.js');
    writeFileSync(
      module,
      `require('fs').appendFileSync(${JSON.stringify(log)}, require('fs').readFileSync('/proc/self/status', 'latin1').match(/^Uid:\\t(.*)$/m)[1].replace(/\\t/g, ' ') + ' NODE_OPTIONS\\n')`,
    );
    // A directory of the user's in front of those of the system: the only one that has a library which a program needs.
    const libraries = join(user.home, 'lib');
    mkdirSync(libraries);
    copyFileSync(library, join(libraries, 'libtrap.so'));
    execFileSync('chown', ['-R', user.name, user.home]);
    const rule = putenvRule(
      `LD_PRELOAD=${library}`,
      `PRELOAD_LOG=${log}`,
      `PATH=${bin}:/usr/bin:/bin`,
      `BASH_ENV=${bashEnv}`,
      `ENV=${bashEnv}`,
      `NODE_OPTIONS=--require=${module}`,
    );
    const needing = join(directory, 'needing');
    run('gcc', ['-x', 'c', '-', '-o', needing, '-Wl,--no-as-needed', `-L${libraries}`, '-ltrap'], {
      input: 'int main(void) { return 0; }',
    });
    const librariesRule = putenvRule(`LD_LIBRARY_PATH=${libraries}`, `PRELOAD_LOG=${log}`);
    return {
      user,
      rule,
      needing,
      librariesRule,
      seen: () =>
        readBytes(log)
          .split('\n')
          .filter((line) => line !== ''),
      own: `${user.uid} ${user.uid} ${user.uid} ${user.uid} `,
    };
  }

  test('the trap works: a program of root with this environment is seen', () => {
    const { rule, seen } = trap();
    run('env', [
      '-i',
      ...readBytes(rule.split(' ').pop() ?? '')
        .split('\0')
        .filter(Boolean),
      '/bin/true',
    ]);
    expect(seen()).toEqual(['0 0 0 0 /usr/bin/true']);
  });

  test.each([
    { how: 'with a supervisor', options: [], status: 0 },
    { how: 'with --exec', options: ['--exec'], status: 0 },
    { how: 'with --login', options: ['--login'], status: 0 },
    { how: 'with --login --exec', options: ['--login', '--exec'], status: 0 },
    { how: 'when the session is closed', options: ['--on-exit', 'close'], status: 0 },
    {
      how: 'under a low limit of memory',
      options: ['--on-exit', 'close'],
      limits: ['soft as 200000'],
      // Node itself may hang or abort under such a limit.
      command: ['sh', '-c', 'bash -c true; exec /bin/true'],
      status: 0,
    },
    {
      how: 'under a low limit of memory with --login',
      options: ['--login'],
      limits: ['soft as 200000'],
      command: ['sh', '-c', 'bash -c true; exec /bin/true'],
      status: 0,
    },
    {
      how: 'when the command fails',
      options: ['--on-exit', 'close'],
      command: ['sh', '-c', 'kill -KILL $$'],
      status: 137,
    },
  ])(
    '$how',
    ({ options, limits = [], command = ['sh', '-c', 'bash -c true; node -e 0; exec /bin/true'], status }) => {
      const { user, rule, seen, own } = trap();
      const profile = plainProfile(rule, ...(limits.length > 0 ? [limitsRule(...limits)] : []));
      expect(runWords(openWords(options, profile, user.name, ...command))).toMatchObject({ status });
      expect(seen().length).toBeGreaterThan(0);
      expect(seen().filter((line) => !line.startsWith(own))).toEqual([]);
    },
  );

  test.each([
    { how: 'when there is no such command', command: ['nonexistent'], status: 127 },
    { how: 'when the command is not executable', command: ['/etc/passwd'], status: 126 },
    { how: 'when the directory is missing', options: ['-C', '/nonexistent'], command: ['true'], status: 125 },
  ])('$how', ({ options = [], command, status }) => {
    const { user, rule, seen } = trap();
    for (const more of [[], ['--exec'], ['--on-exit', 'close']]) {
      const outcome = runWords(openWords([...options, ...more], plainProfile(rule), user.name, ...command));
      expect(outcome).toMatchObject({ status, stdout: '' });
    }
    expect(seen()).toEqual([]);
  });

  test('when libraries of the user come first', () => {
    const { user, needing, librariesRule, seen, own } = trap();
    const profile = plainProfile(librariesRule, 'optional pam_unix.so', 'optional pam_loginuid.so');
    expect(runWords(openWords(['--on-exit', 'close'], profile, user.name, needing))).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(seen()).toEqual([`${own}${needing}`]);
  });

  test('but a hook of pam_exec, to which libpam hands them under su as well', () => {
    const { user, rule, seen, own } = trap();
    const hook = join(scratch(), 'hook');
    writeFileSync(hook, '#!/bin/dash\n:\n', { mode: 0o755 });
    const profile = plainProfile(rule, `required pam_exec.so type=close_session ${hook}`);
    expect(runWords(su(profile, user.name, '/bin/sh', '-c', 'exec /bin/true')).status).toBe(0);
    const underSu = seen().filter((line) => !line.startsWith(own));
    expect(runWords(openWords(['--on-exit', 'close'], profile, user.name, '/bin/true')).status).toBe(0);
    const underBoth = seen().filter((line) => !line.startsWith(own));
    expect(underSu).toEqual(['0 0 0 0 /usr/bin/dash']);
    expect(underBoth).toEqual([...underSu, ...underSu]);
  });

  const hasStrace = run('sh', ['-c', 'strace -f true']).status === 0;
  const traced: readonly {
    how: string;
    options: readonly string[];
    limits?: readonly string[];
    executed: readonly string[];
  }[] = [
    { how: 'with a supervisor', options: [], executed: ['/bin/true'] },
    { how: 'with --exec', options: ['--exec'], executed: ['/bin/true'] },
    { how: 'with --login', options: ['--login'], executed: ['/bin/bash', '/bin/true'] },
    {
      how: 'under a low limit of memory',
      options: [],
      limits: ['soft as 200000'],
      executed: ['/usr/bin/prlimit', '/bin/true'],
    },
  ];
  (hasStrace ? test : test.skip).each(traced)(
    'in a trace of all that is executed, $how',
    ({ options, limits = [], executed }) => {
      const { name } = ownUser('/bin/bash');
      const profile = plainProfile(
        putenvRule('MARKER=of PAM'),
        ...(limits.length > 0 ? [limitsRule(...limits)] : []),
      );
      const trace = join(scratch(), 'trace');
      const strace = ['strace', '-f', '-v', '-s', '1000', '-e', 'trace=execve', '-o', trace];
      expect(runWords([...strace, ...openWords(options, profile, name, '/bin/true')]).status).toBe(0);
      const executions = readBytes(trace)
        .split('\n')
        .filter((line) => line.includes('execve(') && /( = 0|<unfinished \.\.\.>)$/.test(line));
      expect(executions.length).toBeGreaterThan(executed.length);
      const marked = executions.filter((line) => line.includes('"MARKER=of PAM"'));
      const programs = marked.map((line) => /execve\("([^"]*)"/.exec(line)?.[1]);
      // /etc/profile may run programs of its own, as the user.
      expect(options.includes('--login') ? [programs[0], programs.at(-1)] : programs).toEqual(executed);
    },
  );
});
