// The session's resource limits: the command runs under exactly these, and the supervisor survives them or says why not.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { limitsRule, openWords, ownUser, PROBE, type Report, report, runWords, su } from '../support/probe';
import { plainProfile, RecordedProfile } from '../support/profile';
import { type Outcome, startOpen } from '../support/tool';
import { soon, until } from '../support/wait';

/** The ways to run a command in a session. */
const MODES: readonly (readonly string[])[] = [[], ['--exec'], ['--on-exit', 'close'], ['--login']];

const MEGABYTE = 1024;

/** CAP_SYS_RESOURCE lets root raise a hard limit again; machines without it and ordinary ones differ. */
const WITHOUT_RESOURCE = ['setpriv', '--bounding-set=-sys_resource'];
const PERMITTED = BigInt(`0x${/^CapPrm:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]}`);
const mayRaise = ((PERMITTED >> 24n) & 1n) === 1n;
/** CAP_SYS_ADMIN too exempts from the limit of processes; without both, the supervisor's own start counts as one. */
const mayExceed = mayRaise || ((PERMITTED >> 21n) & 1n) === 1n;

const limitsOf = ({ properties }: Report) =>
  Object.fromEntries(Object.entries(properties).filter(([name]) => name.startsWith('limit ')));

const CALLS_OF_A_CLOSED_SESSION = ['auth', 'acct', 'cred', 'open', 'close', 'delete'];

describe('the command runs under exactly the limits', () => {
  test.each([
    { limits: ['- as 8388608'], expected: { 'limit as': '8589934592 8589934592' } },
    { limits: ['- as 2097152'], expected: { 'limit as': '2147483648 2147483648' } },
    { limits: ['soft as 1048576'], expected: { 'limit as': '1073741824 unlimited' } },
    { limits: ['soft as 614400'], expected: { 'limit as': '629145600 unlimited' } },
    { limits: ['soft as 102400'], expected: { 'limit as': '104857600 unlimited' } },
    { limits: ['soft as 51200'], expected: { 'limit as': '52428800 unlimited' } },
    { limits: ['soft as 51200', 'hard as 4194304'], expected: { 'limit as': '52428800 4294967296' } },
    { limits: ['- data 4194304'], expected: { 'limit data': '4294967296 4294967296' } },
    { limits: ['soft data 10000'], expected: { 'limit data': '10240000 unlimited' } },
    {
      limits: ['soft data 10000', 'soft as 60000'],
      expected: { 'limit data': '10240000 unlimited', 'limit as': '61440000 unlimited' },
    },
    { limits: ['- nofile 64'], expected: { 'limit nofile': '64 64' } },
    { limits: ['soft nofile 64'], expected: { 'limit nofile': /^64 \d+$/ } },
    { limits: ['- nproc 5'], expected: { 'limit nproc': '5 5' } },
    { limits: ['- fsize 0'], expected: { 'limit fsize': '0 0' } },
    { limits: ['soft fsize 7'], expected: { 'limit fsize': '7168 unlimited' } },
    { limits: ['- cpu 1'], expected: { 'limit cpu': '60 60' } },
    { limits: ['- stack 64'], expected: { 'limit stack': '65536 65536' } },
    { limits: ['soft stack 64'], expected: { 'limit stack': /^65536 / } },
    { limits: ['- stack 1024'], expected: { 'limit stack': '1048576 1048576' } },
    { limits: ['- stack unlimited'], expected: { 'limit stack': 'unlimited unlimited' } },
    { limits: ['- core 0'], expected: { 'limit core': '0 0' } },
    { limits: ['soft core 100', 'hard core 200'], expected: { 'limit core': '102400 204800' } },
    {
      limits: ['- memlock 0', '- sigpending 10', '- msgqueue 0', '- locks 0', '- rss 0'],
      expected: { 'limit memlock': '0 0' },
    },
  ])('$limits, in every way to run it, and as under su', ({ limits, expected }) => {
    const { name } = ownUser();
    const profile = plainProfile(limitsRule(...limits));
    const theirs = limitsOf(report(su(profile, name, PROBE, '-c', 'x')));
    for (const [limit, value] of Object.entries(expected)) {
      if (value instanceof RegExp) expect(theirs[limit]).toMatch(value);
      else expect([limit, theirs[limit]]).toEqual([limit, value]);
    }
    for (const mode of MODES) {
      expect([mode, limitsOf(report(openWords(mode, profile, name, PROBE)))]).toEqual([mode, theirs]);
    }
  });
});

describe('a hard limit of memory that is too small for the supervisor', () => {
  const cases = [
    { limits: [`hard as ${50 * MEGABYTE}`], name: 'as', size: 50 },
    { limits: [`- as ${100 * MEGABYTE}`], name: 'as', size: 100 },
    { limits: [`- as ${600 * MEGABYTE}`], name: 'as', size: 600 },
    { limits: [`soft as ${50 * MEGABYTE}`, `hard as ${600 * MEGABYTE}`], name: 'as', size: 600 },
    { limits: [`- data ${10 * MEGABYTE}`], name: 'data', size: 10 },
  ];

  test.each(cases)(
    '$limits fails with a clear message and is undone, where root may not raise it again',
    (row) => {
      const { name } = ownUser();
      for (const mode of [[], ['--on-exit', 'close'], ['--login']]) {
        const profile = new RecordedProfile([], `session ${limitsRule(...row.limits)}`);
        const outcome = runWords([
          ...WITHOUT_RESOURCE,
          ...openWords(mode, profile.name, name, 'echo', 'ran'),
        ]);
        expect(outcome).toEqual({
          status: 125,
          stdout: '',
          stderr: expect.stringMatching(
            new RegExp(
              `^rsession-pam: the session's limit "${row.name}" of ${row.size} MB is too small for the supervisor, which needs ` +
                '\\d+ MB and cannot raise it for itself without CAP_SYS_RESOURCE\nhint: --exec .*\n$',
            ),
          ),
        });
        expect(profile.calls().slice(0, -1)).toEqual(CALLS_OF_A_CLOSED_SESSION);
        expect(profile.calls().at(-1)).toMatch(/^end status=/);
      }
    },
  );

  test.each(cases)('$limits is no obstacle to --exec', ({ limits }) => {
    const { name } = ownUser();
    const profile = plainProfile(limitsRule(...limits));
    const words = openWords(['--exec'], profile, name, PROBE);
    expect(limitsOf(report([...WITHOUT_RESOURCE, ...words]))).toEqual(
      limitsOf(report(su(profile, name, PROBE, '-c', 'x'))),
    );
  });

  (mayRaise ? test : test.skip).each(cases)(
    '$limits is no obstacle where root may raise it again',
    ({ limits }) => {
      const { name } = ownUser();
      const profile = plainProfile(limitsRule(...limits));
      expect(limitsOf(report(openWords([], profile, name, PROBE)))).toEqual(
        limitsOf(report(su(profile, name, PROBE, '-c', 'x'))),
      );
    },
  );

  test('of 1 GB is either enough or refused, and nothing in between', () => {
    const { name } = ownUser();
    for (let i = 0; i < 5; i++) {
      const profile = new RecordedProfile([], `session ${limitsRule('- as 1048576')}`);
      const { status, stdout, stderr } = runWords(
        openWords(['--on-exit', 'close'], profile.name, name, 'echo', 'ran'),
      );
      expect([`${status} ${stdout}`, stderr]).toEqual(
        status === 0 ? ['0 ran\n', ''] : ['125 ', expect.stringContaining('is too small for the supervisor')],
      );
      expect(profile.calls().slice(0, -1)).toEqual(CALLS_OF_A_CLOSED_SESSION);
    }
  });
});

describe('R', () => {
  test.each([
    { limits: ['- as 8388608'], status: 3 },
    { limits: ['soft as 1048576'], status: 3 },
    { limits: ['soft as 1048576', 'soft data 500000'], status: 3 },
    { limits: ['- nofile 64'], status: 2 },
    { limits: ['- nofile 256'], status: 3 },
    { limits: ['- cpu 1'], status: 3 },
    { limits: ['- core 0'], status: 3 },
    { limits: ['- stack 1024'], status: 3 },
    { limits: ['- nproc 5'], status: 3 },
  ])('ends with $status under $limits, as under su', ({ limits, status }) => {
    const { name } = ownUser();
    const profile = plainProfile(limitsRule(...limits));
    const code = 'cat(sum(1:10), "\\n"); quit(status = 3)';
    const theirs = runWords(su(profile, name, '/bin/sh', '-c', `exec R --vanilla -s -e '${code}'`));
    const ours = runWords(openWords([], profile, name, 'R', '--vanilla', '-s', '-e', code));
    expect(ours).toEqual(theirs);
    expect({ status: ours.status, stdout: ours.stdout }).toEqual({
      status,
      stdout: status === 3 ? '55 \n' : '',
    });
  });
});

describe('the supervisor', () => {
  test.each([
    [['soft as 51200', 'soft data 10000']],
    [['soft stack 64', 'soft nofile 64', 'soft fsize 0', 'soft core 0', 'soft cpu 1']],
  ])('has its own limits again while a command runs under %p', async (limits) => {
    const { name } = ownUser();
    const profile = plainProfile(limitsRule(...limits));
    const session = startOpen(
      '--on-exit',
      'close',
      '-p',
      profile,
      name,
      '--',
      'sh',
      '-c',
      'echo up; read line',
    );
    await soon('the command runs', session.seen('up'));
    // nofile is what Node makes of it in any process; this process is one.
    const read = (pid: number | string): string => readFileSync(`/proc/${pid}/limits`, 'latin1');
    await until('the limits are those of this process', () => read(session.pid) === read('self'));
    session.process.stdin?.end('\n');
    expect((await soon('the end', session.ended)).status).toBe(0);
  });

  test('survives a limit of processor time that ends the command, and closes the session', () => {
    const { name } = ownUser();
    const profile = new RecordedProfile([], `session ${limitsRule('- cpu 1')}`);
    // pam_limits counts minutes; the user makes a second of it.
    const burn = ['prlimit', '--cpu=1:5', 'sh', '-c', 'while :; do :; done'];
    const { status, stderr } = runWords(openWords(['--on-exit', 'close'], profile.name, name, ...burn));
    expect({ status, stderr }).toEqual({ status: 152, stderr: expect.stringContaining('SIGXCPU') });
    expect(profile.calls()).toEqual([...CALLS_OF_A_CLOSED_SESSION, 'end status=0']);
  });

  test('writes nothing that a limit of file size could stop', () => {
    const { name } = ownUser();
    const command = ['sh', '-c', 'echo out; echo x >file-of-sh'];
    for (const limit of ['- fsize 0', 'soft fsize 0']) {
      const profile = new RecordedProfile([], `session ${limitsRule(limit)}`);
      const outcome = runWords(
        openWords(['--on-exit', 'close', '-C', '/tmp'], profile.name, name, ...command),
      );
      expect(outcome).toEqual({ status: 153, stdout: 'out\n', stderr: expect.stringContaining('SIGXFSZ') });
      // The module's own record is a file: it can go on where root may raise the limit again.
      if (mayRaise || limit.startsWith('soft')) {
        expect(profile.calls()).toEqual([...CALLS_OF_A_CLOSED_SESSION, 'end status=0']);
      }
    }
  });
});

describe('a limit of five processes', () => {
  const STARTED = 6;

  test.each(mayExceed ? [0, 3, 4, 5, STARTED] : [0, 3, STARTED])(
    'with %i running lets a command start as many more as under su',
    async (running) => {
      const { name, uid } = ownUser();
      const profile = plainProfile(limitsRule('- nproc 5'));
      const sleepers = Array.from({ length: running }, () =>
        spawn('setpriv', [
          `--reuid=${uid}`,
          `--regid=${uid}`,
          '--clear-groups',
          'sh',
          '-c',
          'echo up; exec sleep 100',
        ]),
      );
      try {
        await Promise.all(
          sleepers.map((sleeper) => new Promise((resolve) => sleeper.stdout.once('data', resolve))),
        );
        const more = ({ status, stdout }: Outcome) => `status ${status} started ${stdout.trim()}`;
        const theirs = more(runWords(su(profile, name, PROBE, '-c', 'forks')));
        expect(theirs).toBe(
          running === STARTED ? 'status 126 started ' : `status 0 started ${Math.max(0, 4 - running)}`,
        );
        for (const mode of [[], ['--exec'], ['--on-exit', 'close']]) {
          expect([mode, more(runWords(openWords(mode, profile, name, PROBE, '-c', 'forks')))]).toEqual([
            mode,
            theirs,
          ]);
        }
      } finally {
        const ended = sleepers.map((sleeper) => new Promise((resolve) => sleeper.once('close', resolve)));
        for (const sleeper of sleepers) sleeper.kill('SIGKILL');
        await Promise.all(ended);
      }
    },
  );
});
