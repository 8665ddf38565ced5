import { type Bytes, fromText } from '../../../src/bytes';
import { buildEnvironment, type EnvironmentRequest } from '../../../src/session/environment';

const b = fromText;

function build(changes: Partial<EnvironmentRequest> = {}, caller: Record<string, string> = {}): object {
  const environment = buildEnvironment({
    account: { name: b('alice'), home: b('/home/alice'), shell: b('/bin/bash') },
    loginPath: b('/usr/bin:/bin'),
    caller: new Map(Object.entries(caller)) as Map<Bytes, Bytes>,
    preserve: 'none',
    ldLibraryPath: undefined,
    pam: [],
    set: [],
    ...changes,
  });
  return Object.fromEntries(environment);
}

const IDENTITY = {
  HOME: '/home/alice',
  SHELL: '/bin/bash',
  USER: 'alice',
  LOGNAME: 'alice',
  PATH: '/usr/bin:/bin',
};

test('a clean environment holds the identity, the terminal and the locale', () => {
  const caller = {
    TERM: 'xterm',
    LC_ALL: 'C',
    TZ: 'UTC',
    NO_COLOR: '',
    SECRET: 'x',
    HOME: '/root',
    PATH: '/evil',
  };
  expect(build({}, caller)).toEqual({ ...IDENTITY, TERM: 'xterm', LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '' });
});

test("everything is kept on request, but the caller's own session and identity", () => {
  const caller = { A: '1', PATH: '/opt/bin', HOME: '/root', XDG_RUNTIME_DIR: '/run/user/0', SUDO_USER: 'x' };
  expect(build({ preserve: 'all' }, caller)).toEqual({ ...IDENTITY, A: '1', PATH: '/opt/bin' });
});

test('named variables are kept, whatever they are', () => {
  const caller = { A: '1', B: '2', HOME: '/root' };
  expect(build({ preserve: [b('B'), b('HOME')] }, caller)).toEqual({ ...IDENTITY, B: '2', HOME: '/root' });
});

test("PAM's variables override, and those of the command line override them", () => {
  const request = { pam: [b('PATH=/pam'), b('X=pam'), b('broken')], set: [[b('X'), b('set')]] as const };
  expect(build(request)).toEqual({ ...IDENTITY, PATH: '/pam', X: 'set' });
});

test("the library path of R comes from the settings, and PAM's from PAM", () => {
  expect(build({ ldLibraryPath: b('/opt/R/lib') })).toMatchObject({ LD_LIBRARY_PATH: '/opt/R/lib' });
  const pam = [b('LD_LIBRARY_PATH=/pam')];
  expect(build({ ldLibraryPath: b('/opt/R/lib'), pam })).toMatchObject({ LD_LIBRARY_PATH: '/pam' });
});
