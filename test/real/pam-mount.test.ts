// Volumes that the password opens: an encrypted home directory and a remote one, shared by sessions, gone after the last.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownUser } from '../support/probe';
import { writeProfile } from '../support/profile';
import { endWatched, isAlive, soon, until, watch } from '../support/wait';
import { installProfile, setMachineRules, setPassword } from './support/machine';
import { openWith, startWith } from './support/passwords';
import { SystemLog } from './support/syslog';
import {
  configurePamMount,
  countedSessions,
  makeVault,
  mountsAt,
  remoteVolume,
  startSshd,
  type Volume,
} from './support/volumes';

const PASSWORD = 'vault "password" $1';
const R = ['R', '--no-echo', '--no-save', '-e'];

const profile = installProfile('rstudio-session-pam-mount');
const user = ownUser('/bin/bash');
const remoteUser = ownUser('/bin/bash');
const served = mkdtempSync('/srv/served-');
let vault: Volume;

beforeAll(async () => {
  // gocryptfs complains where it has none.
  await SystemLog.start();
  setMachineRules();
  setPassword(user.name, PASSWORD);
  setPassword(remoteUser.name, PASSWORD);
  vault = makeVault(user.name, PASSWORD, '~');
  execFileSync('chown', [remoteUser.name, served]);
  writeFileSync(join(served, 'there'), 'from afar\n');
  configurePamMount(vault, remoteVolume(remoteUser.name, served));
  await startSshd();
});
afterEach(() => {
  endWatched();
  // What a killed session has left, or one that is to be kept.
  while (mountsAt(user.home) > 0) execFileSync('umount', ['-l', user.home]);
  rmSync(`/run/pam_mount/${user.name}`, { force: true });
});

const options = (policy: string): string[] => ['--on-exit', policy, '-C', user.home, user.name, '--'];
const words = (policy: string): string[] => ['-p', profile, ...options(policy)];
const WAIT = ['sh', '-c', 'cat note && echo up; read line; cat note && echo "still there"'];

function counted(): number {
  return countedSessions(user.name);
}

describe.each([
  ['rstudio-session-pam-mount', "with the machine's rules of a plain installation", []],
  [
    'rstudio-session-password',
    "with the machine's rules, to which libpam-mount has added itself",
    ['libpam-mount'],
  ],
] as const)('%s (%s)', (name, _, modules) => {
  beforeAll(() => setMachineRules(...modules));
  afterAll(() => setMachineRules());

  test('opens an encrypted home directory for R, and closes it at the end', () => {
    const script = `cat("plain text\\n", file = "note-${name}"); cat(readLines("note-${name}"), getwd(), sep = "\\n")`;
    const outcome = openWith(PASSWORD, '-p', installProfile(name), ...options('close'), ...R, script);
    expect(outcome).toMatchObject({ status: 0, stdout: `plain text\n${user.home}\n` });
    expect(mountsAt(user.home)).toBe(0);
    expect(counted()).toBe(0);
    expect(readdirSync(user.home)).toEqual([]);
    // Written, and encrypted.
    const stored = readdirSync(vault.directory).filter((file) => !file.startsWith('gocryptfs.'));
    expect(stored.length).toBeGreaterThan(0);
    for (const file of stored) {
      expect(file).not.toContain('note');
      expect(readFileSync(join(vault.directory, file), 'latin1')).not.toContain('plain text');
    }
  });
});

describe('rstudio-session-pam-mount', () => {
  beforeAll(() => {
    expect(openWith(PASSWORD, ...words('close'), 'sh', '-c', 'echo secret note >note').status).toBe(0);
  });

  test('keeps the volume for as long as one of two sessions is open, and no longer', async () => {
    const first = watch(startWith(PASSWORD, ...words('close'), ...WAIT));
    await soon('the first session is open', first.seen('secret note\nup'));
    expect(counted()).toBe(1);
    const second = watch(startWith(PASSWORD, ...words('close'), ...WAIT));
    await soon('the second session is open', second.seen('secret note\nup'));
    expect([mountsAt(user.home), counted()]).toEqual([1, 2]);
    first.process.stdin?.end('go\n');
    const firstOutcome = await soon('the first session ends', first.ended);
    expect(firstOutcome.stdout).toContain('still there');
    // It was mounted for this one, and still being there is no reason for a warning.
    expect(firstOutcome.stderr).toBe('');
    expect([mountsAt(user.home), counted()]).toEqual([1, 1]);
    second.process.stdin?.end('go\n');
    const outcome = await soon('the second session ends', second.ended);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.stdout).toContain('still there');
    expect([mountsAt(user.home), counted()]).toEqual([0, 0]);
  });

  test('warns about no volume that another session still uses', async () => {
    const other = watch(startWith(PASSWORD, ...words('close'), ...WAIT));
    await soon('the other session is open', other.seen('up'));
    const outcome = openWith(PASSWORD, ...words('close'), 'true');
    other.process.stdin?.end('go\n');
    await soon('the other session ends', other.ended);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
  });

  test.each([
    { who: 'that mounted it', before: false },
    { who: 'that found it mounted', before: true },
  ])(
    'reports a volume that is busy when the last session ends, $who, with the processes that hold it',
    async ({ before }) => {
      const other = before ? watch(startWith(PASSWORD, ...words('close'), ...WAIT)) : undefined;
      await other?.seen('up');
      // A session of its own: neither the end of the command nor that of its process group reaches it.
      const script = 'setsid sh -c "echo pid=\\$\\$; exec sleep 1000" </dev/null 2>&1 & read line';
      const running = watch(startWith(PASSWORD, ...words('close'), 'sh', '-c', script));
      const holder = Number(/pid=(\d+)/.exec(await soon('it runs', running.seen(/pid=\d+\n/)))?.[1]);
      await until('it sleeps', () => readFileSync(`/proc/${holder}/comm`, 'utf8') === 'sleep\n');
      other?.process.stdin?.end('go\n');
      if (other !== undefined) expect((await soon('the other session ends', other.ended)).stderr).toBe('');
      running.process.stdin?.end('go\n');
      // The holder keeps standard output open.
      await until('the session is closed', () => !isAlive(running.pid));
      try {
        expect(mountsAt(user.home)).toBe(1);
      } finally {
        process.kill(holder, 'SIGKILL');
      }
      const outcome = await soon('all output is read', running.ended);
      expect(outcome.status).toBe(0);
      const warnings = outcome.stderr
        .split('\n')
        .filter((line) => line.startsWith('rsession-pam: warning: '));
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(` ${user.home} is still mounted`);
      expect(warnings[0]).toMatch(new RegExp(`: kept busy by sleep \\(${holder}\\)$`));
    },
  );

  test('leaves the volume open if the session is kept', () => {
    const outcome = openWith(PASSWORD, ...words('keep'), 'cat', 'note');
    expect(outcome).toMatchObject({ status: 0, stdout: 'secret note\n' });
    expect(outcome.stderr).not.toContain('warning');
    expect([mountsAt(user.home), counted()]).toEqual([1, 1]);
  });

  test('closes the volume when the command cannot be started', () => {
    expect(openWith(PASSWORD, ...words('keep'), 'nosuch')).toMatchObject({ status: 127, stdout: '' });
    expect([mountsAt(user.home), counted()]).toEqual([0, 0]);
  });

  test('mounts nothing for a wrong password, and ends in under a second', () => {
    const outcome = openWith('wrong', ...words('close'), 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.milliseconds).toBeLessThan(1000);
    expect([mountsAt(user.home), counted()]).toEqual([0, 0]);
  });

  test("opens a session without the volume where its password is another one, and shows pam_mount's reason", () => {
    setPassword(user.name, 'another password');
    try {
      const outcome = openWith('another password', ...words('close'), 'ls');
      expect(outcome).toMatchObject({ status: 0, stdout: '' });
      expect(outcome.stderr).toMatch(/Password incorrect.*\n.*mount of gocryptfs#\S+ failed/);
    } finally {
      setPassword(user.name, PASSWORD);
    }
    expect([mountsAt(user.home), counted()]).toEqual([0, 0]);
  });

  test('answers the question for the password that pam_mount asks while the session is opened', () => {
    const asking = writeProfile(
      ...['auth required pam_unix.so', 'account required pam_unix.so'],
      ...['session required pam_unix.so', 'session optional pam_mount.so'],
    );
    expect(openWith(PASSWORD, '-p', asking, ...options('close'), 'cat', 'note')).toMatchObject({
      status: 0,
      stdout: 'secret note\n',
    });
    expect([mountsAt(user.home), counted()]).toEqual([0, 0]);
  });

  test('opens one also where pam_mount is required: it does not call that a failure', () => {
    const text = readFileSync(`/etc/pam.d/${profile}`, 'utf8');
    const required = text.replace(/^session +optional( +pam_mount)/m, 'session required$1');
    expect(required).not.toBe(text);
    setPassword(user.name, 'another password');
    try {
      const outcome = openWith('another password', '-p', writeProfile(required), ...options('close'), 'ls');
      expect(outcome).toMatchObject({ status: 0, stdout: '' });
    } finally {
      setPassword(user.name, PASSWORD);
    }
    expect([mountsAt(user.home), counted()]).toEqual([0, 0]);
  });

  test('mounts a remote directory with the password, and unmounts it at the end', () => {
    const remote = join(remoteUser.home, 'remote');
    const script = 'cat(readLines("there"), sep = "\\n"); writeLines("written by R", "new")';
    const there = ['-p', profile, '--on-exit', 'close', '-C', remote, remoteUser.name, '--'];
    expect(openWith(PASSWORD, ...there, ...R, script)).toMatchObject({ status: 0, stdout: 'from afar\n' });
    expect(readFileSync(join(served, 'new'), 'utf8')).toBe('written by R\n');
    expect([mountsAt(remote), countedSessions(remoteUser.name)]).toEqual([0, 0]);
    expect(existsSync(remote)).toBe(false);
  });
});
