// bin/rsession-pam: through links, with a hostile environment, without what it needs.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { scratch } from '../support/profile';
import { run, shell, TOOL } from '../support/tool';

test.each([
  ['an absolute link', (directory: string) => symlinkSync(TOOL, join(directory, 'rsession-pam'))],
  [
    'a relative link',
    (directory: string) => symlinkSync(relative(directory, TOOL), join(directory, 'rsession-pam')),
  ],
  [
    'a link to a link',
    (directory: string) => {
      symlinkSync(TOOL, join(directory, 'other'));
      symlinkSync('other', join(directory, 'rsession-pam'));
    },
  ],
])('it starts through %s, by path and by PATH', (_case, link) => {
  const directory = scratch();
  link(directory);
  expect(run(join(directory, 'rsession-pam'), ['--version']).status).toBe(0);
  const outcome = shell('rsession-pam --version', { env: { PATH: `${directory}:${process.env.PATH}` } });
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
});

test("it works as npm's global program", () => {
  const root = join(__dirname, '../..');
  const prefix = scratch();
  const packed = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', prefix], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  // As npm i -g lays it out, with the packages of the checkout instead of downloaded ones.
  const home = join(prefix, 'lib/node_modules/rsession-pam');
  mkdirSync(home, { recursive: true });
  mkdirSync(join(prefix, 'bin'));
  execFileSync('tar', ['-xzf', join(prefix, packed), '--strip-components=1', '-C', home]);
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  symlinkSync('../lib/node_modules/rsession-pam/bin/rsession-pam', join(prefix, 'bin/rsession-pam'));
  const outcome = run(join(prefix, 'bin/rsession-pam'), ['open', 'alice', '--', 'id', '-un']);
  expect(outcome).toEqual({ status: 0, stdout: 'alice\n', stderr: '' });
});

describe('code that the environment would bring into Node is not run', () => {
  const directory = scratch();
  const script = join(directory, 'evil.js');
  const mark = join(directory, 'ran');
  writeFileSync(script, `require('node:fs').writeFileSync('${mark}', '')`);

  test.each([
    ['NODE_OPTIONS', `--require=${script}`],
    ['NODE_PATH', directory],
    ['NODE_V8_COVERAGE', mark],
    ['NODE_EXTRA_CA_CERTS', '/nope'],
    ['OPENSSL_CONF', join(directory, 'openssl.cnf')],
  ])('%s', (name, value) => {
    // The engine named here does not exist: Node would complain if it read the file.
    writeFileSync(
      join(directory, 'openssl.cnf'),
      'nodejs_conf = a\nopenssl_conf = a\n[a]\nengines = b\n[b]\nc = d\n[d]\ndynamic_path = /nope.so\ninit = 1\n',
    );
    const outcome = run(TOOL, ['open', 'alice', '--', 'env'], { env: { [name]: value } });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(outcome.stdout).not.toContain(name);
    expect(() => execFileSync('ls', [mark], { stdio: 'ignore' })).toThrow();
  });
});

test('a strange environment does not confuse it', () => {
  const outcome = run(TOOL, ['open', '--preserve-env', 'alice', '--', 'sh', '-c', 'printf %s "$ODD"'], {
    env: { ODD: "'\nNODE_X=1\nNODE_-y\n$(touch /tmp/odd)`id`\\", NODE_a: 'b' },
  });
  expect(outcome).toEqual({ status: 0, stdout: "'\nNODE_X=1\nNODE_-y\n$(touch /tmp/odd)`id`\\", stderr: '' });
});

test('without node it says what is needed', () => {
  const outcome = shell('"$TOOL" open alice', { env: { PATH: '/nope' } });
  expect(outcome.status).toBe(125);
  expect(outcome.stderr).toMatch(/^rsession-pam: node is not on the PATH: .*\n$/);
});

test('unbuilt it says how to build it', () => {
  const directory = scratch();
  mkdirSync(join(directory, 'bin'));
  execFileSync('cp', [TOOL, join(directory, 'bin/rsession-pam')]);
  const outcome = run(join(directory, 'bin/rsession-pam'), []);
  expect(outcome.status).toBe(125);
  expect(outcome.stderr).toMatch(/rsession-pam\.cjs is missing: build it with "npm run build"/);
});

test('the recorded start reaches no command', () => {
  const { stdout } = run(TOOL, ['open', '--preserve-env', 'alice', '--', 'env']);
  expect(stdout).not.toContain('RSESSION_PAM');
});
