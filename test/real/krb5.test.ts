// Kerberos by pam_krb5: the ticket in the session, its end, and what the KDC sees.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { writeScratch } from '../support/probe';
import { writeProfile } from '../support/profile';
import { endWatched, soon, watch } from '../support/wait';
import { Realm } from './support/kdc';
import { installProfile, setMachineRules, setPassword } from './support/machine';
import { authenticateWith, openWith, startWith } from './support/passwords';

const ALICE = 2001;
const PASSWORD = "alice's pässword";
const R = ['R', '--no-echo', '--no-save', '-e'];
/** Ends with 0 if there is a valid ticket. */
const TELL_TICKET = 'cat(Sys.getenv("KRB5CCNAME"), "\\n"); quit(status = system("klist -s"))';

let realm: Realm;
const profile = installProfile('rstudio-session-kerberos');

beforeAll(async () => {
  setMachineRules('krb5');
  setPassword('alice', undefined);
  realm = await Realm.start({ alice: PASSWORD });
  realm.add('bob', 'old password', '+needchange');
});
beforeEach(() => {
  for (const file of tickets()) rmSync(`/tmp/${file}`);
  realm.forget();
});
afterEach(endWatched);

/** All ticket files, those of unfinished logins (`krb5cc_pam_…`) included. */
function tickets(): string[] {
  return readdirSync('/tmp').filter((name) => name.startsWith('krb5cc'));
}

function ticketIn(output: string): string {
  const file = /^FILE:(\S+)/m.exec(output)?.[1];
  if (file === undefined) throw new Error(`no ticket file in ${JSON.stringify(output)}`);
  return file;
}

describe.each([
  ['rstudio-session-kerberos', 'with its own rules'],
  ['rstudio-session-password', "with the machine's rules, to which libpam-krb5 has added itself"],
])('%s (%s)', (name) => {
  const options = (policy: string): string[] => [
    '-p',
    installProfile(name),
    '--on-exit',
    policy,
    'alice',
    '--',
  ];

  test('gives R a valid ticket, and destroys it when the session is closed', () => {
    const outcome = openWith(PASSWORD, ...options('close'), ...R, TELL_TICKET);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(ticketIn(outcome.stdout)).toMatch(new RegExp(`^/tmp/krb5cc_${ALICE}_`));
    expect(tickets()).toEqual([]);
  });

  test('gives a ticket that the user owns and nobody else can read, and leaves it there if the session is kept', () => {
    const outcome = openWith(PASSWORD, ...options('keep'), ...R, TELL_TICKET);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    const file = ticketIn(outcome.stdout);
    expect(statSync(file)).toMatchObject({ uid: ALICE, gid: ALICE });
    expect((statSync(file).mode & 0o7777).toString(8)).toBe('600');
    expect(execFileSync('klist', ['-c', file], { encoding: 'utf8' })).toMatch(
      /Default principal: alice@TEST\.LOCAL[\s\S]*krbtgt\/TEST\.LOCAL@TEST\.LOCAL/,
    );
    expect(tickets()).toHaveLength(1);
  });

  test('tries a wrong password once, and ends in under a second without a session', () => {
    const before = realm.failures('alice');
    const outcome = openWith('wrong', ...options('close'), 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain(`alice: denied by PAM profile "${name}"`);
    expect(realm.requests('alice').filter((line) => line.includes('PREAUTH_FAILED'))).toHaveLength(1);
    expect(realm.failures('alice') - before).toBe(1);
    expect(outcome.milliseconds).toBeLessThan(1000);
    expect(tickets()).toEqual([]);
  });
});

describe('rstudio-session-kerberos', () => {
  test('gives each session a ticket of its own, and the end of one leaves the others alone', async () => {
    const script = 'echo "$KRB5CCNAME up"; read line; klist -s && echo "still valid"';
    const words = ['-p', profile, '--on-exit', 'close', 'alice', '--', 'sh', '-c', script];
    const first = watch(startWith(PASSWORD, ...words));
    const second = watch(startWith(PASSWORD, ...words));
    const files = await Promise.all(
      [first, second].map(async (running) => ticketIn(await soon('the session is open', running.seen('up')))),
    );
    expect(new Set(files).size).toBe(2);
    second.process.stdin?.end('go\n');
    expect(await soon('the second one ends', second.ended)).toMatchObject({ status: 0 });
    expect(existsSync(files[1] ?? '')).toBe(false);
    first.process.stdin?.end('go\n');
    expect((await soon('the first one ends', first.ended)).stdout).toContain('still valid');
    expect(tickets()).toEqual([]);
  });

  test('leaves no ticket when a later step fails', () => {
    const outcome = openWith(PASSWORD, '-p', profile, '--on-exit', 'keep', 'alice', '--', 'nosuch');
    expect(outcome).toMatchObject({ status: 127, stdout: '' });
    expect(tickets()).toEqual([]);
  });

  test('leaves no ticket when the session is refused', () => {
    const refusing = writeProfile(
      'auth required pam_krb5.so minimum_uid=1000',
      'account required pam_permit.so',
      'session required pam_krb5.so minimum_uid=1000',
      'session required pam_deny.so',
    );
    const outcome = openWith(PASSWORD, '-p', refusing, 'alice', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain('pam_open_session: PAM_SESSION_ERR');
    expect(tickets()).toEqual([]);
  });

  test.each(['auth-pam-require-password-prompt=1', 'auth-pam-require-password-prompt=0'])(
    'does not answer the question for a new password with the old one (%s)',
    (setting) => {
      const file = writeScratch(`${setting}\n`);
      const outcome = openWith('old password', '-c', file, '-p', profile, 'bob', '--', 'echo', 'ran');
      expect(outcome).toMatchObject({ status: 125, stdout: '' });
      expect(outcome.stderr).toContain('Enter new password');
      expect(outcome.milliseconds).toBeLessThan(1000);
      expect(tickets()).toEqual([]);
    },
  );

  test('says that the KDC cannot be asked when it is gone', async () => {
    await realm.stop();
    try {
      const outcome = openWith(PASSWORD, '-p', profile, 'alice', '--', 'echo', 'ran');
      expect(outcome).toMatchObject({ status: 125, stdout: '' });
      expect(outcome.stderr).toMatch(/pam_authenticate: PAM_AUTHINFO_UNAVAIL\)\nhint: .*KDC/);
      expect(outcome.milliseconds).toBeLessThan(2000);
    } finally {
      await realm.resume();
    }
  });

  test('refuses a user whom the realm does not know', () => {
    const outcome = openWith('any', '-p', profile, 'zoe', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toMatch(/zoe: denied by PAM profile .*PAM_USER_UNKNOWN/);
  });

  test('leaves users of the system out', () => {
    const outcome = openWith('any', '-p', profile, 'daemon', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain(`daemon: denied by PAM profile "${profile}"`);
  });

  test.each([
    { password: PASSWORD, kind: 'right', status: 0 },
    { password: 'wrong', kind: 'wrong', status: 1 },
  ])(
    'answers authenticate with $status for the $kind password, and leaves no ticket',
    ({ password, status }) => {
      const outcome = authenticateWith(password, '-p', profile, 'alice');
      expect(outcome).toMatchObject({ status, stdout: '' });
      expect(realm.requests('alice').filter((line) => line.includes('PREAUTH_FAILED'))).toHaveLength(status);
      expect(tickets()).toEqual([]);
    },
  );
});
