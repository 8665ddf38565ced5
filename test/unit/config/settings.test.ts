import { readEntries } from '../../../src/config/read';
import { configure, profileNameProblem } from '../../../src/config/settings';
import { Failure } from '../../../src/errors';

const FILE = '/etc/rstudio/rserver.conf';
const settingsOf = (text: string) => configure(readEntries(text), FILE).settings;

test('an empty file gives the defaults', () => {
  const settings = settingsOf('');
  expect(settings['auth-pam-sessions-enabled']).toEqual({ value: true, origin: { from: 'default' } });
  expect(settings['auth-pam-sessions-profile'].value).toBe('su');
});

test('a file as sites have them: comments, blanks, CRLF, quotes, foreign keys, a BOM', () => {
  const settings = settingsOf(
    '\ufeff# Server\r\nwww-port=8787\r\n\r\n  auth-pam-sessions-profile = rstudio-session  # ours\r\n' +
      'auth-pam-sessions-close=1\r\nrsession-which-r="/opt/R/4.4/bin/R"\r\n[section]\r\nwww-flag\r\n',
  );
  expect(settings['auth-pam-sessions-profile']).toEqual({
    value: 'rstudio-session',
    origin: { from: 'file', file: FILE, line: 4 },
  });
  expect(settings['auth-pam-sessions-close'].value).toBe(true);
  expect(settings['rsession-which-r'].value).toBe('/opt/R/4.4/bin/R');
});

test.each([
  ['1', true],
  ['true', true],
  ['YES', true],
  ['0', false],
  ['False', false],
  ['no', false],
])('%s is the boolean %s', (text, value) => {
  expect(settingsOf(`auth-pam-sessions-close=${text}`)['auth-pam-sessions-close'].value).toBe(value);
});

test.each([
  ['auth-pam-sessions-close=maybe', 'auth-pam-sessions-close=maybe'],
  ['auth-pam-sessions-close=', 'must be 0 or 1'],
  ['auth-pam-sessions-profile=../x', 'not a path'],
  ['auth-pam-sessions-profile=', 'must not be empty'],
])('%s is refused with file and line', (line, message) => {
  const bad = () => settingsOf(`\n${line}\n`);
  expect(bad).toThrow(Failure);
  expect(bad).toThrow(`${FILE}:2`);
  expect(bad).toThrow(message);
});

test.each([
  ['launcher-sessions-enabled=1', false],
  ['launcher-sessions-enabled=1\nauth-pam-sessions-enabled=1', true],
  ['launcher-sessions-enabled=0', true],
  ['auth-pam-sessions-enabled=0', false],
])('with %j PAM sessions are %s', (text, value) => {
  expect(settingsOf(text)['auth-pam-sessions-enabled'].value).toBe(value);
});

test.each([
  ['auth-pam-sessions-enabled=0\nauth-pam-sessions-close=1', 'has no effect'],
  ['launcher-sessions-enabled=1\nauth-pam-sessions-profile=x', 'because of launcher-sessions-enabled'],
  ['auth-pam-sessions-close=1\nauth-pam-sessions-close=0', 'is set twice'],
  ['auth-pam-sessions-use-password=1\nlauncher-sessions-enabled=1', 'launcher-use-ssl=1'],
])('%j gets a warning', (text, warning) => {
  expect(configure(readEntries(text), FILE).warnings.join('\n')).toContain(warning);
});

test('a consistent file gets no warning', () => {
  const text = 'auth-pam-sessions-enabled=1\nauth-pam-sessions-close=1\nauth-pam-sessions-profile=x';
  expect(configure(readEntries(text), FILE).warnings).toEqual([]);
});

test.each(['', '.', '..', '../su', '/etc/pam.d/su', 'a b', 'a\nb', 'x'.repeat(256)])(
  '%j names no profile',
  (name) => {
    expect(profileNameProblem(name)).toBeDefined();
  },
);

test.each(['su', 'su-l', 'rstudio_session.2'])('%s names a profile', (name) => {
  expect(profileNameProblem(name)).toBeUndefined();
});
