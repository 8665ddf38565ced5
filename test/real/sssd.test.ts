// Users of a directory, through sssd: their sessions, their accounts' states, and tickets that sssd gets.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { writeProfile } from '../support/profile';
import { open } from '../support/tool';
import { endWatched, soon, watch } from '../support/wait';
import { Directory, forgetUsers, Sssd } from './support/directory';
import { Realm } from './support/kdc';
import { installProfile, setMachineRules, setPassword } from './support/machine';
import { authenticateWith, openWith, startWith, type TimedOutcome } from './support/passwords';

const PASSWORD = 'däs "Passwort" $HOME';
const PROVIDER = 'auth_provider = ldap';
const R = ['R', '--no-echo', '--no-save', '-e'];
/** The hint when sssd, or the server that it asks, does not answer. */
const OUTAGE = /\nhint: .*sssd .*(answer|reach)/;
const HOME = '/home/ldapuser';

let directory: Directory;
let sssd: Sssd | undefined;

const rootok = installProfile('rstudio-session-sssd');
const ticket = installProfile('rstudio-session-kerberos-sssd');
const password = installProfile('rstudio-session-password');

beforeAll(async () => {
  setMachineRules('sss', 'mkhomedir');
  directory = await Directory.start(
    [
      { name: 'ldapuser', uid: 20_001, password: PASSWORD },
      { name: 'expired', uid: 20_002, password: PASSWORD, attributes: ['shadowExpire: 1'] },
      {
        name: 'oldpassword',
        uid: 20_003,
        password: PASSWORD,
        attributes: ['shadowLastChange: 10000', 'shadowMax: 30'],
      },
    ],
    [
      { name: 'extra', gid: 20_005, members: ['ldapuser'] },
      { name: 'others', gid: 20_006, members: ['expired'] },
    ],
  );
});
beforeEach(() => rmSync(HOME, { recursive: true, force: true }));
afterEach(async () => {
  endWatched();
  await sssd?.stop();
  sssd = undefined;
});

async function startSssd(...lines: string[]): Promise<void> {
  sssd = await Sssd.start(directory, 'ldapuser', ...lines);
}

describe('a user who exists only in the directory', () => {
  beforeEach(() => startSssd(PROVIDER, 'access_provider = permit'));

  const TELL = 'cat(system("id -un; id -gn; id -Gn", intern = TRUE), getwd(), path.expand("~"), sep = "\\n")';

  test.each([
    { profile: rootok, how: 'root, without a password', run: (...args: string[]) => open(...args) },
    { profile: password, how: 'the password', run: (...args: string[]) => openWith(PASSWORD, ...args) },
    { profile: ticket, how: 'the password', run: (...args: string[]) => openWith(PASSWORD, ...args) },
  ])('gets a session with $profile ($how), in a new home directory and in its groups', ({ profile, run }) => {
    expect(readFileSync('/etc/passwd', 'utf8')).not.toContain('ldapuser');
    const outcome = run('-p', profile, '--login', 'ldapuser', '--', ...R, TELL);
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).toBe(`ldapuser\nstaff-ldap\nstaff-ldap extra\n${HOME}\n${HOME}\n`);
    expect(outcome.stderr).toMatch(/^Creating directory '\/home\/ldapuser'\.\n$/);
    expect(statSync(HOME)).toMatchObject({ uid: 20_001, gid: 20_000 });
    expect(existsSync(`${HOME}/.bashrc`)).toBe(true);
  });

  test.each([rootok, ticket])('has a home directory of %s that nobody else can enter', (profile) => {
    expect(openWith(PASSWORD, '-p', profile, 'ldapuser', '--', 'true').status).toBe(0);
    expect((statSync(HOME).mode & 0o7777).toString(8)).toBe('700');
  });

  test('is refused with a wrong password, at once and without a home directory', () => {
    const outcome = openWith('wrong', '-p', password, 'ldapuser', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain(`ldapuser: denied by PAM profile "${password}"`);
    expect(outcome.milliseconds).toBeLessThan(1000);
    expect(existsSync(HOME)).toBe(false);
  });

  test.each([
    { given: PASSWORD, kind: 'right', status: 0 },
    { given: 'wrong', kind: 'wrong', status: 1 },
  ])('is answered with $status by authenticate for the $kind password', ({ given, status }) => {
    expect(authenticateWith(given, '-p', password, 'ldapuser')).toMatchObject({ status, stdout: '' });
  });

  test('does not keep local users out', () => {
    setPassword('alice', PASSWORD);
    expect(open('-p', rootok, 'alice', '--', 'echo', 'ran')).toMatchObject({ status: 0, stdout: 'ran\n' });
    expect(openWith(PASSWORD, '-p', password, 'alice', '--', 'echo', 'ran').stdout).toBe('ran\n');
    setPassword('alice', undefined);
  });
});

describe('an account that sssd refuses', () => {
  const states = [
    {
      state: 'denied to all',
      sssd: ['access_provider = deny'],
      code: 'pam_acct_mgmt: PAM_PERM_DENIED',
      hint: /access_provider/,
    },
    {
      state: 'in none of the groups that are let in',
      sssd: ['access_provider = simple', 'simple_allow_groups = others'],
      code: 'pam_acct_mgmt: PAM_PERM_DENIED',
      hint: /access_provider/,
    },
    {
      state: 'not found by the filter',
      sssd: ['access_provider = ldap', 'ldap_access_filter = (description=may log in)'],
      code: 'pam_acct_mgmt: PAM_PERM_DENIED',
      hint: /access_provider/,
    },
    {
      state: 'expired',
      user: 'expired',
      sssd: ['access_provider = ldap', 'ldap_access_order = expire', 'ldap_account_expire_policy = shadow'],
      code: 'pam_acct_mgmt: PAM_ACCT_EXPIRED',
      hint: /hint: .*(is|has) expired/,
    },
  ];

  describe.each(states)('because it is $state', ({ user = 'ldapuser', sssd: lines, code, hint }) => {
    beforeEach(() => startSssd(PROVIDER, ...lines));

    const refused = (outcome: { status: number; stdout: string; stderr: string }, profile: string): void => {
      expect(outcome).toMatchObject({ status: 125, stdout: '' });
      expect(outcome.stderr).toContain(`${user}: account refused by PAM profile "${profile}"`);
      expect(outcome.stderr).toContain(code);
      expect(outcome.stderr).toMatch(/\nhint: .*sss/);
      expect(outcome.stderr).toMatch(hint);
    };

    test('gets no session from root, and the hint names the rule that would give one', () => {
      const outcome = open('-p', rootok, user, '--', 'echo', 'ran');
      refused(outcome, rootok);
      expect(outcome.stderr).toContain('account sufficient pam_rootok.so');
    });

    test('gets none with its password either', () => {
      refused(openWith(PASSWORD, '-p', ticket, user, '--', 'echo', 'ran'), ticket);
    });

    test('is answered with 1 by authenticate', () => {
      const outcome = authenticateWith(PASSWORD, '-p', ticket, user);
      expect(outcome).toMatchObject({ status: 1, stdout: '' });
      expect(outcome.stderr).toContain(code);
    });

    test('gets one from root with the rule of the hint', () => {
      const text = readFileSync(`/etc/pam.d/${rootok}`, 'utf8');
      const withRule = text.replace('#account  sufficient', 'account  sufficient');
      expect(withRule).not.toBe(text);
      const outcome = open('-p', writeProfile(withRule), user, '--', 'echo', 'ran');
      expect(outcome).toMatchObject({ status: 0, stdout: 'ran\n' });
    });
  });

  test('because its password has expired is told so, and is not asked for a new one without a terminal', async () => {
    await startSssd(
      PROVIDER,
      ...['access_provider = ldap', 'ldap_access_order = expire', 'ldap_account_expire_policy = shadow'],
      'ldap_pwd_policy = shadow',
    );
    const outcome = openWith(PASSWORD, '-p', ticket, 'oldpassword', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain('Password expired. Change your password now.');
    expect(outcome.stderr).toContain('pam_acct_mgmt: PAM_NEW_AUTHTOK_REQD');
  });
});

describe('an outage', () => {
  test('of the directory: root still opens sessions, a password cannot be checked, and the message says so', async () => {
    await startSssd(PROVIDER, 'access_provider = permit');
    expect(open('-p', rootok, 'ldapuser', '--', 'true').status).toBe(0);
    await directory.stop();
    try {
      expect(open('-p', rootok, 'ldapuser', '--', 'echo', 'ran')).toMatchObject({
        status: 0,
        stdout: 'ran\n',
      });
      const outcome = openWith(PASSWORD, '-p', ticket, 'ldapuser', '--', 'echo', 'ran');
      expect(outcome).toMatchObject({ status: 125, stdout: '' });
      expect(outcome.stderr).toContain('pam_authenticate: PAM_AUTHINFO_UNAVAIL');
      expect(outcome.stderr).toMatch(OUTAGE);
    } finally {
      await directory.resume();
    }
  });

  test('of sssd: local users are let in, and its users are refused, and unknown as soon as they are forgotten', async () => {
    await startSssd(PROVIDER, 'access_provider = permit');
    await sssd?.stop();
    expect(open('-p', rootok, 'alice', '--', 'echo', 'ran')).toMatchObject({ status: 0, stdout: 'ran\n' });
    const remembered = open('-p', rootok, 'ldapuser', '--', 'echo', 'ran');
    expect(remembered).toMatchObject({ status: 125, stdout: '' });
    expect(remembered.stderr).toContain('pam_acct_mgmt: PAM_AUTHINFO_UNAVAIL');
    expect(remembered.stderr).toMatch(OUTAGE);
    forgetUsers();
    const forgotten = open('-p', rootok, 'ldapuser', '--', 'echo', 'ran');
    expect(forgotten).toMatchObject({ status: 125, stdout: '' });
    expect(forgotten.stderr).toMatch(/ldapuser.*\n?.*(unknown|no such user|does not exist)/i);
  });

  test('of sssd: a profile that asks it about every account is refused, and the hint names the outage', () => {
    const profile = writeProfile(
      'auth sufficient pam_rootok.so',
      'account required pam_sss.so',
      'session required pam_permit.so',
    );
    const outcome = open('-p', profile, 'alice', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain('pam_acct_mgmt: PAM_AUTHINFO_UNAVAIL');
    expect(outcome.stderr).toMatch(OUTAGE);
  });
});

describe('a ticket that sssd gets', () => {
  // kadmin(1) has no way to quote a quotation mark.
  const KRB_PASSWORD = PASSWORD.replaceAll('"', '');
  let realm: Realm;

  beforeAll(async () => {
    realm = await Realm.start({ ldapuser: KRB_PASSWORD });
    // So that sssd checks no ticket with it: there is no host of this machine's name in the realm.
    rmSync('/etc/krb5.keytab', { force: true });
  });
  beforeEach(async () => {
    for (const file of tickets()) rmSync(`/tmp/${file}`);
    realm.forget();
    await startSssd(
      ...['auth_provider = krb5', 'access_provider = permit', 'krb5_server = 127.0.0.1:8888'],
      ...['krb5_realm = TEST.LOCAL', 'krb5_validate = false', 'krb5_ccachedir = /tmp'],
      'krb5_ccname_template = FILE:%d/krb5cc_%U_XXXXXX',
    );
  });

  const tickets = (): string[] => readdirSync('/tmp').filter((name) => name.startsWith('krb5cc'));
  const wrongPasswords = (): number =>
    realm.requests('ldapuser').filter((line) => line.includes('PREAUTH_FAILED')).length;
  const openTicket = (given: string, ...words: string[]): TimedOutcome =>
    openWith(given, '-p', ticket, '--on-exit', 'close', 'ldapuser', '--', ...words);

  test('is valid in R and belongs to the user, and sssd leaves it there at the end', () => {
    const script = 'cat(Sys.getenv("KRB5CCNAME"), "\\n"); quit(status = system("klist -s"))';
    const outcome = openTicket(KRB_PASSWORD, ...R, script);
    expect(outcome.status).toBe(0);
    const file = /^FILE:(\/tmp\/krb5cc_20001_\S+)/.exec(outcome.stdout)?.[1] ?? '';
    expect(statSync(file)).toMatchObject({ uid: 20_001 });
    expect((statSync(file).mode & 0o7777).toString(8)).toBe('600');
    expect(execFileSync('klist', ['-c', file], { encoding: 'utf8' })).toContain('ldapuser@TEST.LOCAL');
  });

  test('is shared by the sessions that the user has at a time', async () => {
    const words = ['-p', ticket, '--on-exit', 'close', 'ldapuser', '--', 'sh', '-c'];
    const script = 'echo "ccname=$KRB5CCNAME."; read line; klist -s && echo "still valid"';
    const first = watch(startWith(KRB_PASSWORD, ...words, script));
    const name = await soon('the session is open', first.seen(/ccname=FILE:\S+\./));
    const second = openTicket(KRB_PASSWORD, 'sh', '-c', 'echo "ccname=$KRB5CCNAME."');
    expect(second.stdout).toBe(name);
    first.process.stdin?.end('go\n');
    expect((await soon('the first one ends', first.ended)).stdout).toContain('still valid');
    expect(tickets()).toHaveLength(1);
  });

  test('is asked for once, where three attempts are allowed', () => {
    const profile = writeProfile(
      ...[
        'auth required pam_sss.so retry=3',
        'account required pam_sss.so',
        'session required pam_permit.so',
      ],
    );
    const outcome = openWith('wrong', '-p', profile, 'ldapuser', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(wrongPasswords()).toBe(1);
    expect(outcome.milliseconds).toBeLessThan(1000);
  });

  test('comes by pam_krb5 as well, for a user who is not in /etc/shadow, and goes at the end', () => {
    const profile = installProfile('rstudio-session-kerberos');
    const words = ['-p', profile, '--on-exit', 'close', 'ldapuser', '--', 'klist', '-s'];
    expect(openWith(KRB_PASSWORD, ...words)).toMatchObject({ status: 0 });
    expect(tickets()).toEqual([]);
  });

  test('is not for users of /etc/passwd, whom sssd does not know', () => {
    const outcome = openWith('any', '-p', ticket, 'alice', '--', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toContain('PAM_USER_UNKNOWN');
  });

  test('does not come for a wrong password, which is tried once', () => {
    const outcome = openTicket('wrong', 'echo', 'ran');
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(wrongPasswords()).toBe(1);
    expect(outcome.milliseconds).toBeLessThan(1000);
    expect(tickets()).toEqual([]);
  });

  test('does not come while the KDC is gone, and the hint names sssd', async () => {
    await realm.stop();
    try {
      const outcome = openTicket(PASSWORD, 'echo', 'ran');
      expect(outcome).toMatchObject({ status: 125, stdout: '' });
      expect(outcome.stderr).toContain('pam_authenticate: PAM_AUTHINFO_UNAVAIL');
      expect(outcome.stderr).toMatch(OUTAGE);
      // sssd leaves an empty file, for the ticket that it may get later.
      for (const file of tickets())
        expect(spawnSync('klist', ['-s', '-c', `/tmp/${file}`]).status).not.toBe(0);
    } finally {
      await realm.resume();
    }
  });
});
