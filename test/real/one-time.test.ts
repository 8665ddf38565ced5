// A password and then a one-time password, as pam_matrix of cwrap's pam_wrapper asks for it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { passwordUser } from '../support/ask';
import { scratch, writeProfile } from '../support/profile';
import { Terminal } from '../support/pty';
import { run, TOOL } from '../support/tool';

const MATRIX = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/pam_wrapper/pam_matrix.so`;
const OTP = '492039';

const user = passwordUser();

/** The login password by pam_unix, then the other one by pam_matrix, which shows what is typed. */
function profile(): string {
  const name = writeProfile('placeholder');
  const database = join(scratch(), 'passdb');
  writeFileSync(database, `${user.name}:${OTP}:${name}\n`);
  writeFileSync(
    `/etc/pam.d/${name}`,
    [
      'auth required pam_unix.so',
      `auth required ${MATRIX} passdb=${database} echo`,
      'account required pam_permit.so',
      'session required pam_permit.so',
      '',
    ].join('\n'),
  );
  return name;
}

afterEach(Terminal.closeAll);

test('without a terminal the one-time password ends it in under a second, with the question', () => {
  const before = process.hrtime.bigint();
  const words = ['open', '-p', profile(), '--password-stdin', user.name, '--', 'echo', 'ran'];
  const outcome = run(TOOL, words, { input: `${user.password}\n` });
  expect(Number(process.hrtime.bigint() - before) / 1e9).toBeLessThan(1);
  expect(outcome).toMatchObject({ status: 125, stdout: '' });
  expect(outcome.stderr).toMatch(/after the question "Password:"[\s\S]*no terminal to ask at/);
});

test.each([
  ['the right one opens the session', OTP, 0],
  ['a wrong one does not', '111111', 125],
])('at a terminal it is asked of the person: %s', async (_case, typed, status) => {
  const command = `"$TOOL" open -p ${profile()} --password ${user.name} -- echo it r'a'n; echo "status=$?"; read line`;
  const terminal = Terminal.sh(command);
  await terminal.sees(`Password for ${user.name}: `);
  terminal.type(user.password);
  await terminal.sees('Password: ');
  terminal.type(typed);
  const seen = await terminal.sees(`status=${status}`);
  expect(seen.includes('it ran')).toBe(status === 0);
});
