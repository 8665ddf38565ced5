// The password cannot be found: not in memory, not in core dumps, not in what /proc, logs and messages show; by nobody.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownUser } from '../support/probe';
import { compile, scratch, writeProfile } from '../support/profile';
import { type Running, run, start, TOOL } from '../support/tool';
import { endWatched, Gate, soon, until, watch } from '../support/wait';
import { FullPipe } from './support/full-pipe';
import { Realm } from './support/kdc';
import { installProfile, setMachineRules, setPassword } from './support/machine';
import { type Finding, findInFile, findInMemory, findInProc } from './support/memory';
import { openWith, randomPassword, startWith } from './support/passwords';
import { SystemLog } from './support/syslog';
import { configurePamMount, makeVault } from './support/volumes';

const R = [
  'R',
  '--no-echo',
  '--no-save',
  '-e',
  'cat("pid=", Sys.getpid(), "\\n", sep = ""); readLines(file("stdin"), 1)',
];

const local = ownUser('/bin/bash');
const kerberos = ownUser('/bin/bash');
const encrypted = ownUser('/bin/bash');
const passwords = { local: randomPassword(), kerberos: randomPassword(), encrypted: randomPassword() };
let log: SystemLog;

beforeAll(async () => {
  log = await SystemLog.start();
  setMachineRules();
  setPassword(local.name, passwords.local);
  setPassword(encrypted.name, passwords.encrypted);
  await Realm.start({ [kerberos.name]: passwords.kerberos });
  configurePamMount(makeVault(encrypted.name, passwords.encrypted, '~/vault'));
});
afterEach(endWatched);

/** Who is looked for where: a test of the path of one module. */
const paths = [
  {
    profile: 'rstudio-session-password',
    module: 'pam_unix',
    user: local,
    password: passwords.local,
    copies: [],
  },
  {
    profile: 'rstudio-session-kerberos',
    module: 'pam_krb5',
    user: kerberos,
    password: passwords.kerberos,
    copies: [],
  },
  {
    profile: 'rstudio-session-pam-mount',
    module: 'pam_mount',
    user: encrypted,
    password: passwords.encrypted,
    // Its own, for as long as the session is open.
    copies: ['UTF-8 in [heap]'],
  },
];

function places(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ encoding, mapping }) => `${encoding} in ${mapping}`))].sort();
}

/** Waits until R runs and returns its process id. */
async function commandOf(running: Running): Promise<number> {
  return Number(/pid=(\d+)/.exec(await soon('R runs', running.seen(/pid=\d+\n/)))?.[1]);
}

async function end(running: Running): Promise<void> {
  running.process.stdin?.end('go\n');
  expect(await soon('the session ends', running.ended)).toMatchObject({ status: 0 });
}

describe('the search', () => {
  const secret = randomPassword();
  const keep = (code: string): Running =>
    watch(
      start('perl', [
        '-MEncode',
        '-e',
        `my $line = <STDIN>; chomp $line; ${code}; $| = 1; print "up\\n"; sleep 1000`,
      ]),
    );

  test.each([
    { what: 'a copy', code: '', place: 'UTF-8 in [heap]' },
    { what: 'the end of a copy', code: 'substr($line, 0, 16) = "." x 16', place: 'UTF-8 in [heap]' },
    {
      what: 'a copy in two bytes a character',
      code: 'our $two = encode("UTF-16LE", $line)',
      place: 'UTF-16LE in [heap]',
    },
  ])('finds $what in memory', async ({ code, place }) => {
    const running = keep(code);
    running.process.stdin?.write(`${secret}\n`);
    await soon('it has the secret', running.seen('up'));
    expect(places(findInMemory(running.pid, secret))).toContain(place);
    expect(findInMemory(running.pid, randomPassword())).toEqual([]);
  });

  test('finds a copy in a core dump', async () => {
    const running = keep('');
    running.process.stdin?.write(`${secret}\n`);
    await soon('it has the secret', running.seen('up'));
    const core = dumpCore(running.pid);
    expect(findInFile(core, secret)).not.toEqual([]);
    expect(findInFile(core, randomPassword())).toEqual([]);
    rmSync(core);
  });

  test('finds it in arguments, environment and open files', async () => {
    const file = join(scratch(), 'file');
    writeFileSync(file, secret);
    const running = watch(
      start('sh', ['-c', `exec 9<${file}; rm ${file}; echo up; read line`, secret], {
        env: { ...process.env, SECRET: secret },
      }),
    );
    await soon('it runs', running.seen('up'));
    expect(findInProc(secret)).toEqual(
      ['cmdline', 'environ']
        .map((name) => `/proc/${running.pid}/${name}`)
        .concat(`the content of /proc/${running.pid}/fd/9`),
    );
  });
});

describe.each(paths)('while R runs with $profile', ({ profile, module, user, password, copies }) => {
  let running: Running;
  let command: number;

  beforeAll(async () => {
    running = startWith(
      password,
      '-v',
      '-p',
      installProfile(profile),
      '--on-exit',
      'close',
      user.name,
      '--',
      ...R,
    );
    command = await commandOf(running);
  });
  // The tests of this group are about one session: do not end it between them.
  afterAll(async () => {
    const outcome = running.ended;
    await end(running);
    const { stdout, stderr } = await outcome;
    expect(stderr).toContain('pam_open_session: ok');
    expect(stdout + stderr).not.toContain(password);
  });

  test(`the supervisor has no copy of the password${copies.length > 0 ? ` but that of ${module}` : ''}`, () => {
    expect(places(findInMemory(running.pid, password))).toEqual(copies);
  });

  test('R has no copy', () => {
    expect(findInMemory(command, password)).toEqual([]);
  });

  test('no arguments, no environment and no open file have it', () => {
    expect(findInProc(password)).toEqual([]);
  });

  test('a core dump of the supervisor has no copy in a page of ours', () => {
    const core = dumpCore(running.pid);
    expect(findInFile(core, password).length > 0).toBe(copies.length > 0);
    rmSync(core);
  });

  test('the user can neither trace the supervisor nor read its memory and environment', () => {
    expectRefused(user.uid, running.pid);
  });
});

/** As a program that is allowed to; nothing is left out of it but what was marked as not to be dumped. */
function dumpCore(pid: number): string {
  const core = join(scratch(), 'core');
  execFileSync('gcore', ['-o', core, String(pid)], { stdio: 'ignore' });
  return `${core}.${pid}`;
}

const AS = (uid: number): string[] => ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];

/** What a process's user gets at: lines that tell it. */
function accessOf(uid: number, pid: number): string {
  const script = `
    head -c 1 /proc/${pid}/environ >/dev/null 2>&1 && echo environment
    dd if=/proc/${pid}/mem of=/dev/null bs=1 count=0 2>/dev/null && echo memory
    gdb -nx -batch -p ${pid} -ex 'info proc' 2>/dev/null | grep -q '^process ${pid}' && echo trace
    cd "$(mktemp -d)" && gcore -o core ${pid} >/dev/null 2>&1 && echo dump
    true`;
  return execFileSync('setpriv', [...AS(uid), 'sh', '-c', script], { encoding: 'utf8', cwd: '/' });
}

function expectRefused(uid: number, pid: number): void {
  expect(accessOf(uid, pid)).toBe('');
}

describe('while a module works in open_session', () => {
  /** A profile whose session waits in pam_exec until the gate is opened. */
  function waitingProfile(...rules: string[]): {
    name: string;
    gate: Gate;
    reached(pid: number): Promise<void>;
  } {
    const directory = scratch();
    const gate = new Gate(directory);
    const script = join(directory, 'waiting');
    writeFileSync(script, `#!/bin/sh\n${gate.wait}\n`, { mode: 0o755 });
    return {
      name: writeProfile(...rules, `session required pam_exec.so quiet ${script}`),
      gate,
      reached: (pid) =>
        until('the module runs', () => spawnSync('pgrep', ['-P', String(pid), '-x', 'waiting']).status === 0),
    };
  }
  const UNIX = ['auth required pam_unix.so', 'account required pam_unix.so'];

  test('the only copy is in a page that is locked, wiped in children and not in core dumps', async () => {
    const { name, gate, reached } = waitingProfile(...UNIX);
    const running = watch(startWith(passwords.local, '-p', name, local.name, '--', 'true'));
    await reached(running.pid);
    const findings = findInMemory(running.pid, passwords.local);
    expect(findings).not.toEqual([]);
    for (const finding of findings) {
      expect(finding.encoding).toBe('UTF-8');
      expect(finding.flags).toEqual(expect.arrayContaining(['lo', 'dd', 'wf']));
    }
    const core = dumpCore(running.pid);
    expect(findInFile(core, passwords.local)).toEqual([]);
    rmSync(core);
    gate.open();
    await end(running);
  });

  test('the supervisor leaves no core, and the command gets the core limit that the supervisor was started with', async () => {
    const { name, gate, reached } = waitingProfile(...UNIX);
    const script = `ulimit -S -c 1234; exec "$TOOL" open --password-stdin -p ${name} ${local.name} -- sh -c 'ulimit -S -c'`;
    const running = watch(start('/bin/sh', ['-c', script], { env: { ...process.env, TOOL } }));
    running.process.stdin?.write(`${passwords.local}\n`);
    await reached(running.pid);
    // A limit of 1 keeps the kernel from handing a core to a program as well; 0 does not (core(5)).
    expect(readFileSync(`/proc/${running.pid}/limits`, 'utf8')).toMatch(/^Max core file size +1 /m);
    gate.open();
    running.process.stdin?.end();
    expect(await soon('it ends', running.ended)).toMatchObject({ status: 0, stdout: '1234\n' });
  });

  const asItself = (given: string | undefined, ...words: string[]): Running => {
    const option = given === undefined ? [] : ['--password-stdin'];
    const running = watch(start('setpriv', [...AS(local.uid), TOOL, 'open', ...option, ...words]));
    if (given !== undefined) running.process.stdin?.write(`${given}\n`);
    return running;
  };

  test('a supervisor without root is closed to its own user, too', async () => {
    const { name, gate, reached } = waitingProfile(...UNIX);
    const running = asItself(passwords.local, '-p', name, local.name, '--', 'true');
    await reached(running.pid);
    expectRefused(local.uid, running.pid);
    gate.open();
    await end(running);
  });

  test('a supervisor that has no password is open to its own user', async () => {
    const { name, gate, reached } = waitingProfile(
      'auth required pam_permit.so',
      'account required pam_permit.so',
    );
    const running = asItself(undefined, '-p', name, local.name, '--', 'true');
    await reached(running.pid);
    expect(accessOf(local.uid, running.pid)).toBe('environment\nmemory\ntrace\ndump\n');
    gate.open();
    await end(running);
  });
});

describe('after a failure', () => {
  const secret = randomPassword();
  const unix = ['auth required pam_unix.so', 'account required pam_unix.so', 'session required pam_unix.so'];
  // It says nothing: the first word on standard error is the failure's.
  const failing = compile(join(__dirname, '../support/pam_record.c'), 'pam_record.so', '-lpam');
  const krb5 = unix.map((rule) => rule.replace('pam_unix.so', 'pam_krb5.so minimum_uid=1000'));
  const mount = [...unix, 'auth optional pam_mount.so', 'session optional pam_mount.so'];

  const failures = [
    { at: 'authenticate, of a wrong password', rules: unix, given: secret, message: 'PAM_AUTH_ERR' },
    {
      at: 'acct_mgmt',
      rules: [...unix, `account required ${failing} acct=13`],
      given: passwords.local,
      message: 'PAM_ACCT_EXPIRED',
    },
    {
      at: 'setcred',
      rules: [...unix, `auth required ${failing} cred=15`],
      given: passwords.local,
      message: 'PAM_CRED_UNAVAIL',
    },
    {
      at: 'open_session',
      rules: [...unix, `session required ${failing} open=14`],
      given: passwords.local,
      message: 'PAM_SESSION_ERR',
    },
    {
      at: 'the start of the command',
      rules: unix,
      given: passwords.local,
      command: 'nosuch',
      message: 'nosuch: command not found',
    },
    {
      at: 'authenticate, of a wrong Kerberos password',
      rules: krb5,
      user: kerberos,
      given: secret,
      message: 'PAM_AUTH_ERR',
    },
    {
      at: 'open_session, with a ticket',
      rules: [...krb5, `session required ${failing} open=14`],
      user: kerberos,
      given: passwords.kerberos,
      message: 'PAM_SESSION_ERR',
    },
    {
      at: 'authenticate, with pam_mount',
      rules: mount,
      user: encrypted,
      given: secret,
      message: 'PAM_AUTH_ERR',
    },
    {
      at: 'open_session, with a volume',
      rules: [...mount, `session required ${failing} open=14`],
      user: encrypted,
      given: passwords.encrypted,
      message: 'PAM_SESSION_ERR',
    },
  ];

  test.each(failures)(
    'of $at, no copy is left',
    async ({ rules, user = local, given, command = 'true', message }) => {
      const pipe = new FullPipe();
      const words = ['open', '--password-stdin', '-p', writeProfile(...rules), user.name, '--', command];
      const running = watch(start(TOOL, words, { stdio: ['pipe', 'pipe', pipe.writer] }));
      running.process.stdin?.write(`${given}\n`);
      await pipe.holds(running.pid);
      const findings = places(findInMemory(running.pid, given));
      const shown = findInProc(given);
      const text = await pipe.release(running.ended);
      expect(text).toMatch(/^rsession-pam: /);
      expect(text).toContain(message);
      expect(text).not.toContain(given);
      expect(findings).toEqual([]);
      expect(shown).toEqual([]);
    },
  );
});

describe('what is written', () => {
  test.each(['--dry-run', '--json', '--verbose'])('with %s has no password in it', (option) => {
    const outcome = openWith(
      passwords.local,
      option,
      '-p',
      installProfile('rstudio-session-password'),
      local.name,
      '--',
      'true',
    );
    expect(outcome.status).toBe(0);
    expect(outcome.stdout + outcome.stderr).not.toBe('');
    expect(outcome.stdout + outcome.stderr).not.toContain(passwords.local);
  });

  test('about a password on the command line does not repeat it', () => {
    const secret = randomPassword();
    const outcome = run(TOOL, ['open', `--password=${secret}`, local.name, '--', 'echo', 'ran']);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toMatch(/command line|other users|ps/);
    expect(outcome.stderr).not.toContain(secret);
  });

  test('to the system log has no password in it', async () => {
    const text = await log.text();
    for (const password of Object.values(passwords)) expect(text).not.toContain(password);
    for (const { name } of [local, encrypted]) expect(text).toContain(`session opened for user ${name}`);
  });
});

test('no core file is left on this machine', () => {
  expect(existsSync('/core')).toBe(false);
});
