// Many sessions, one after another and at a time: all correct, nothing left.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { processesOf } from '../support/processes';
import { RecordedProfile } from '../support/profile';
import { open, startOpen } from '../support/tool';
import { until } from '../support/wait';

const USERS = ['alice', 'bob', 'carol', 'many'] as const;

/** What a leak would change: mounts, files of ours, processes. */
function traces(): object {
  const listed = (directory: string): string[] =>
    readdirSync(directory).filter((name) => name.includes('rsession'));
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    files: [...listed('/run'), ...listed('/tmp'), ...listed('/var/tmp'), ...listed('/dev/shm')],
    supervisors: processesOf(0).filter((words) => words.includes('dist/rsession-pam.cjs')),
  };
}

const EVERY_CALL = ['auth', 'acct', 'cred', 'open', 'close', 'delete', 'end status=0'];

test('200 sessions one after another are all correct and leave nothing', () => {
  const before = traces();
  for (let number = 0; number < 200; number++) {
    const user = USERS[number % USERS.length] ?? 'alice';
    const outcome = open('--on-exit', 'close', user, '--', 'sh', '-c', `id -un; exit ${number % 100}`);
    expect(outcome).toEqual({ status: number % 100, stdout: `${user}\n`, stderr: '' });
  }
  expect(traces()).toEqual(before);
}, 120_000);

test('20 sessions at a time, five times over, are all correct and leave nothing', async () => {
  const before = traces();
  const profile = new RecordedProfile();
  for (let round = 0; round < 5; round++) {
    profile.forget();
    const sessions = Array.from({ length: 20 }, (_, number) => {
      const user = USERS[number % USERS.length] ?? 'alice';
      const words = ['-p', profile.name, '--on-exit', 'close', user, '--', 'sh', '-c'];
      return { user, number, session: startOpen(...words, `id -un; cat; exit ${number}`) };
    });
    // All run at once: each waits for its standard input, which ends only when every one has spoken.
    await Promise.all(sessions.map(({ user, session }) => session.seen(user)));
    for (const { session } of sessions) session.process.stdin?.end();
    for (const { user, number, session } of sessions) {
      expect(await session.ended).toEqual({ status: number, stdout: `${user}\n`, stderr: '' });
    }
    for (const call of EVERY_CALL) expect(profile.calls().filter((line) => line === call)).toHaveLength(20);
  }
  expect(traces()).toEqual(before);
}, 120_000);

test('an idle supervisor stands in / and keeps no directory busy', async () => {
  const session = startOpen('-C', '/home/alice', 'alice', '--', 'sh', '-c', 'echo up; cat');
  await session.seen('up');
  // The command may speak before the supervisor has gone on.
  await until('the supervisor leaves the directory', () => readlinkSync(`/proc/${session.pid}/cwd`) === '/');
  session.process.stdin?.end();
  expect((await session.ended).status).toBe(0);
});
