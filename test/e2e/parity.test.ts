// Indistinguishable from su: whatever a process inherits is the same under su, runuser and open, for one profile and any
// caller. The differences that are meant stand in one table.
import { appendFileSync } from 'node:fs';
import {
  openWords,
  ownUser,
  PROBE,
  putenvRule,
  type Report,
  report,
  runuser,
  runWords,
  su,
  writeScratch,
} from '../support/probe';
import { plainProfile, writeProfile } from '../support/profile';
import { run } from '../support/tool';

/** Who calls: words in front of su and of open. */
const CALLERS: readonly { caller: string; words: readonly string[] }[] = [
  { caller: 'a plain caller', words: ['env'] },
  { caller: 'nohup', words: ['nohup'] },
  { caller: 'a caller that ignores INT', words: ['env', '--ignore-signal=INT'] },
  {
    caller: 'a caller that ignores what Node handles',
    words: ['env', '--ignore-signal=PIPE,XFSZ,TERM,USR1,QUIT,TSTP'],
  },
  { caller: 'a caller that ignores real-time signals', words: ['env', '--ignore-signal=RTMIN,RTMAX'] },
  { caller: 'a caller that blocks signals', words: ['env', '--block-signal=USR1,TERM,INT,CHLD,RTMAX'] },
  { caller: 'a caller that blocks every signal', words: ['env', '--block-signal'] },
  { caller: 'a caller with umask 077', words: ['sh', '-c', 'umask 077; exec "$@"', 'sh'] },
  { caller: 'a caller with umask 0', words: ['sh', '-c', 'umask 0; exec "$@"', 'sh'] },
  { caller: 'nice -n 5', words: ['nice', '-n', '5'] },
  { caller: 'nice -n -5', words: ['nice', '-n', '-5'] },
  { caller: 'a caller that is killed early', words: ['choom', '-n', '100', '--'] },
  { caller: 'a batch process', words: ['chrt', '-b', '0'] },
  { caller: 'a real-time process', words: ['chrt', '-f', '3'] },
  { caller: 'a process on one processor', words: ['taskset', '1'] },
  { caller: 'a process with idle input and output', words: ['ionice', '-c', '3'] },
  { caller: 'a caller with other limits of files', words: ['prlimit', '--nofile=500:600'] },
  { caller: 'a caller with a soft limit of files over 1024', words: ['prlimit', '--nofile=3000:4000'] },
  { caller: 'a caller with a limit of file size', words: ['prlimit', '--fsize=100000000:200000000'] },
  {
    caller: 'a caller with soft limits of file size and address space only',
    words: ['prlimit', '--fsize=100000000:unlimited', '--as=6000000000:unlimited'],
  },
  { caller: 'a caller with a limit of address space', words: ['prlimit', '--as=6000000000:7000000000'] },
  {
    caller: 'a caller with other limits of everything',
    words: (
      'prlimit --core=5:6 --data=5000000000:6000000000 --stack=1000000:9000000 --nproc=5000:6000 --memlock=100:200 ' +
      '--sigpending=5:6 --msgqueue=7:8 --locks=9:10 --rss=11:12 --rttime=1000000:1000001 --cpu=100:200'
    ).split(' '),
  },
  { caller: 'a caller without new privileges', words: ['setpriv', '--no-new-privs'] },
  {
    caller: 'a caller with a smaller bounding set',
    words: ['setpriv', '--bounding-set=-net_raw,-sys_module'],
  },
  {
    caller: 'a caller with inheritable capabilities',
    words: ['setpriv', '--inh-caps=+net_bind_service,+chown'],
  },
  {
    caller: 'a caller with ambient capabilities',
    words: ['setpriv', '--inh-caps=+net_bind_service,+chown', '--ambient-caps=+net_bind_service,+chown'],
  },
  { caller: 'a caller whose groups are others', words: ['setpriv', '--groups=5,6', '--regid=7'] },
  { caller: 'a caller with a parent death signal', words: ['setpriv', '--pdeathsig=TERM'] },
  { caller: 'a caller in another directory', words: ['env', '-C', '/usr/share'] },
];

/** What a machine may not let its root do (a container) is shown as skipped. */
const isPossible = (words: readonly string[]): boolean => runWords([...words, 'true']).status === 0;
const possible = CALLERS.filter(({ words }) => isPossible(words));
const impossible = CALLERS.filter((caller) => !possible.includes(caller));

/** What su and open mean to do differently, and how each of them does it. */
const MEANT: readonly {
  difference: string;
  words?: readonly string[];
  env?: NodeJS.ProcessEnv;
  profile?: () => string;
  read: (report: Report) => unknown;
  su: unknown;
  runuser: unknown;
  open: unknown;
  exec: unknown;
}[] = [
  {
    difference: 'descriptors from 3 up are closed',
    words: ['bash', '-c', 'exec 7</dev/null 251</dev/null; exec "$@"', 'bash'],
    read: ({ fds }) => fds.filter((fd) => ['0', '1', '2', '7', '251'].includes(fd)),
    su: ['0', '1', '2', '7', '251'],
    runuser: ['0', '1', '2', '7', '251'],
    open: ['0', '1', '2'],
    exec: ['0', '1', '2'],
  },
  {
    difference: "the caller's variables are gone",
    env: { VARIABLE: 'of the caller' },
    read: ({ environment }) => environment.VARIABLE,
    su: 'of the caller',
    runuser: 'of the caller',
    open: undefined,
    exec: undefined,
  },
  {
    difference:
      'the command leads a session of its own where no terminal is on stdin, as su -c does, but not with --exec',
    read: ({ properties }) => [properties['session leader'], properties['group leader']],
    su: ['yes', 'yes'],
    runuser: ['no', 'no'],
    open: ['yes', 'yes'],
    exec: ['no', 'no'],
  },
  {
    difference: "the caller's personality stays, which su clears only as a set-user-ID file",
    words: ['setarch', '-R'],
    read: ({ properties }) => properties.personality,
    su: '0',
    runuser: String(0x40000),
    open: String(0x40000),
    exec: String(0x40000),
  },
  {
    difference: 'protection from the out-of-memory killer is not inherited',
    words: ['choom', '-n', '-100', '--'],
    read: ({ properties }) => properties.oom_score_adj,
    su: '-100',
    runuser: '-100',
    open: '0',
    exec: '0',
  },
  {
    difference:
      'what pam_cap defers to the end of the transaction is not applied, as only a forked child could end it',
    profile: () =>
      writeProfile(
        `auth optional pam_cap.so keepcaps defer config=${writeScratch('!cap_kill,^cap_net_bind_service *\n')}`,
        'auth required pam_rootok.so',
        'account required pam_permit.so',
        'session required pam_permit.so',
      ),
    read: ({ properties }) => properties.CapAmb,
    su: '0000000000000400',
    runuser: '0000000000000400',
    open: '0000000000000000',
    exec: '0000000000000000',
  },
];

/** Properties that a difference of the table covers. */
const COVERED = ['session leader', 'group leader', 'personality'];

/** Reports of every way into the session; `x` is there because su wants a word behind -c. */
function reports(words: readonly string[], profile: string, user: string, env: NodeJS.ProcessEnv = {}) {
  const from = (opener: readonly string[]): Report => report([...words, ...opener], { env });
  return {
    su: from(su(profile, user, PROBE, '-c', 'x')),
    runuser: from(runuser(profile, user, PROBE, '-c', 'x')),
    open: from(openWords([], profile, user, PROBE, '-c', 'x')),
    exec: from(openWords(['--exec'], profile, user, PROBE, '-c', 'x')),
  };
}

function comparable({ properties }: Report, ...without: string[]) {
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => ![...COVERED, ...without].includes(name)),
  );
}

/** Limits, groups, capabilities, umask, login user id, key ring, variables: all that modules change. */
function everythingProfile(user: string): string {
  const limits = [
    'soft nofile 100',
    'hard nofile 200',
    '- nproc 5000',
    'soft core 0',
    'hard core 1000',
    '- fsize 1000000',
    '- stack 10000',
    '- priority 3',
    '- memlock 64',
    '- sigpending 300',
    '- msgqueue 4096',
    '- locks 77',
    '- rss 88',
    '- cpu 5',
    'soft data 4000000',
    'hard data 5000000',
    'soft as 6000000',
    'hard as 7000000',
  ]; // prettier-ignore
  const profile = writeProfile(
    'auth required pam_rootok.so',
    'auth optional pam_group.so',
    `auth optional pam_cap.so config=${writeScratch(`!cap_kill,^cap_net_bind_service,cap_chown ${user}\n`)}`,
    'account required pam_permit.so',
    `session required pam_limits.so conf=${writeScratch(limits.map((limit) => `${user} ${limit}\n`).join(''))}`,
    'session required pam_umask.so umask=027',
    'session optional pam_loginuid.so',
    'session optional pam_keyinit.so force revoke',
    `session required pam_env.so conffile=${writeScratch(
      'FIXED DEFAULT="of PAM"\nITEMS DEFAULT="@{PAM_USER} @{PAM_RUSER} @{PAM_RHOST} @{PAM_TTY}"\nHOMES DEFAULT=@{HOME}/x\n',
    )} readenv=0`,
    `session ${putenvRule('BYTES=\xff\xfe', 'EMPTY=', 'EQUALS=a=b')}`,
  );
  appendFileSync('/etc/security/group.conf', `${profile};*;${user};Al0000-2400;audio, video\n`);
  return profile;
}

describe('what a process inherits is the same under su, runuser, open and open --exec', () => {
  const plain = plainProfile();
  const everything = everythingProfile('many');

  test.each(possible)('for $caller, with a profile that changes nothing', ({ words }) => {
    const { su, runuser, open, exec } = reports(words, plain, 'alice');
    expect(comparable(open)).toEqual(comparable(su));
    expect(comparable(exec)).toEqual(comparable(su));
    expect(comparable(open)).toEqual(comparable(runuser));
  });

  test.each(possible)('for $caller, with a profile that changes everything', ({ words }) => {
    const { su, runuser, open, exec } = reports(words, everything, 'many');
    // Each session has a number and a key ring of its own.
    const own = ['sessionid', 'keyring id'];
    expect(comparable(open, ...own)).toEqual(comparable(su, ...own));
    expect(comparable(exec, ...own)).toEqual(comparable(su, ...own));
    expect(comparable(open, ...own)).toEqual(comparable(runuser, ...own));
  });

  if (impossible.length > 0)
    test.skip.each(impossible)('for $caller, which this machine does not allow', () => undefined);

  test.each(['root', 'jörg', 'carol', 'nohome'])('for the user %s', (user) => {
    for (const profile of [plain, everythingProfile(user)]) {
      const { su, runuser, open, exec } = reports(['env'], profile, user);
      const own = ['sessionid', ...(profile === plain ? [] : ['keyring id'])];
      expect(comparable(open, ...own)).toEqual(comparable(su, ...own));
      expect(comparable(exec, ...own)).toEqual(comparable(su, ...own));
      expect(comparable(open, ...own)).toEqual(comparable(runuser, ...own));
    }
  });

  test("under Debian's own profile of su", () => {
    const [theirs, ours] = [
      report(['su', '-s', PROBE, 'alice', '-c', 'x']),
      report(openWords([], 'su', 'alice', PROBE, '-c', 'x')),
    ];
    expect(comparable(ours, 'sessionid', 'keyring id')).toEqual(
      comparable(theirs, 'sessionid', 'keyring id'),
    );
  });

  test('through the shell of su -c', () => {
    const { properties } = report(su(everything, 'many', '/bin/sh', '-c', `exec ${PROBE} -c x`));
    const own = ['sessionid', 'keyring id'];
    const open = report(openWords([], everything, 'many', PROBE, '-c', 'x'));
    expect(comparable(open, ...own)).toEqual(comparable({ ...open, properties }, ...own));
  });

  test('and the probe sees what the modules did', () => {
    const { su, open } = reports(['env'], everything, 'many');
    const groups = [
      'audio',
      'video',
      'many',
      ...Array.from({ length: 20 }, (_, i) => `grp${String(i + 1).padStart(2, '0')}`),
    ];
    const ids = groups
      .map((name) => Number(run('getent', ['group', name]).stdout.split(':')[2]))
      .sort((a, b) => a - b);
    expect(open.properties).toMatchObject({
      Uid: '2004 2004 2004 2004',
      Gid: '2004 2004 2004 2004',
      Groups: ids.join(' '),
      // Linux-PAM 1.7 gives a group of the user's own the permissions of the user.
      umask: expect.stringMatching(/^00[02]7$/),
      nice: '3',
      'limit nofile': '100 200',
      'limit core': '0 1024000',
      'limit as': `${6_000_000 * 1024} ${7_000_000 * 1024}`,
      CapInh: '0000000000000401',
      CapPrm: '0000000000000000',
      CapEff: '0000000000000000',
      CapAmb: '0000000000000000',
    });
    expect(BigInt(`0x${open.properties.CapBnd}`) & (1n << 5n)).toBe(0n);
    expect(open.environment).toMatchObject({
      FIXED: 'of PAM',
      HOMES: '/home/many/x',
      BYTES: '\xff\xfe',
      EMPTY: '',
      EQUALS: 'a=b',
    });
    for (const name of ['FIXED', 'ITEMS', 'HOMES', 'BYTES', 'EMPTY', 'EQUALS', 'HOME', 'USER', 'LOGNAME']) {
      expect([name, open.environment[name]]).toEqual([name, su.environment[name]]);
    }
  });

  const hasKeyrings = report([PROBE]).properties['keyring id'] !== '-1';
  (hasKeyrings ? test : test.skip)(
    'with a session key ring of its own where pam_keyinit makes one, and the user’s default without it',
    () => {
      const callers = report([PROBE]).properties['keyring id'];
      const [first, second] = [reports(['env'], everything, 'many'), reports(['env'], plain, 'many')];
      const made = Object.values(first).map(({ properties }) => properties['keyring id']);
      expect(new Set([callers, ...made]).size).toBe(5);
      const found = new Set(Object.values(second).map(({ properties }) => properties['keyring id']));
      expect(found.size).toBe(1);
    },
  );
});

describe('on a terminal', () => {
  /** script(1) gives the words a terminal; a terminal ends lines with CR LF. */
  const onTerminal = (words: readonly string[]): Report =>
    report(['script', '-qefc', words.map((word) => `'${word}'`).join(' '), '/dev/null']);

  test('the command has the terminal, the session and the process group as an interactive su gives them', () => {
    const profile = plainProfile();
    const theirs = onTerminal(su(profile, 'alice', PROBE));
    const ours = onTerminal(openWords([], profile, 'alice', PROBE));
    const replaced = onTerminal(openWords(['--exec'], profile, 'alice', PROBE));
    const relations = ['controlling terminal', 'in the foreground', 'terminal of stdin', 'session leader'];
    const read = ({ properties }: Report) => relations.map((name) => properties[name]);
    expect(read(theirs)).toEqual(['yes', 'yes', 'yes', 'no']);
    expect(read(ours)).toEqual(read(theirs));
    expect(read(replaced)).toEqual(['yes', 'yes', 'yes', expect.any(String)]);
    expect(comparable(ours, 'group leader')).toEqual(comparable(theirs, 'group leader'));
  });
});

describe('where open differs from su, it is meant:', () => {
  const { name } = ownUser();
  const rows = MEANT.filter(({ words = [] }) => isPossible([...words]));

  test.each(rows)(
    '$difference',
    ({ words = ['env'], env = {}, profile = plainProfile, read, ...expected }) => {
      const all = reports(words, profile(), name, env);
      expect({
        su: read(all.su),
        runuser: read(all.runuser),
        open: read(all.open),
        exec: read(all.exec),
      }).toEqual({
        su: expected.su,
        runuser: expected.runuser,
        open: expected.open,
        exec: expected.exec,
      });
    },
  );

  const others = MEANT.filter((row) => !rows.includes(row));
  if (others.length > 0)
    test.skip.each(others)('$difference (this machine does not allow such a caller)', () => undefined);
});
