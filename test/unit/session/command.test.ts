import { type Bytes, fromText } from '../../../src/bytes';
import { candidates, directCommand, loginCommand } from '../../../src/session/command';

const words = (...list: string[]): Bytes[] => list.map(fromText);

test('a command gets its words as they are', () => {
  expect(directCommand(words('R', '-e', '1'))).toEqual({ file: 'R', argv: ['R', '-e', '1'] });
});

test.each([
  ['/bin/bash', ['/bin/bash', '-l', '-c', 'exec "$@"', 'bash', 'R', '$x']],
  ['/usr/bin/fish', ['/usr/bin/fish', '-l', '-c', 'exec $argv', 'R', '$x']],
  ['/bin/tcsh', ['-tcsh', '-c', expect.stringContaining('$argv:q'), 'xR', 'x$x']],
  ['/usr/sbin/nologin', ['/bin/sh', '-l', '-c', 'exec "$@"', 'sh', 'R', '$x']],
  ['/bin/false', ['/bin/sh', '-l', '-c', 'exec "$@"', 'sh', 'R', '$x']],
])('%s as login shell hands the words on as arguments', (shell, argv) => {
  expect(loginCommand(fromText(shell), words('R', '$x')).argv).toEqual(argv);
});

test.each([
  ['R', '/a:/b', ['/a/R', '/b/R']],
  ['R', ':/b', ['./R', '/b/R']],
  ['./R', '/a', ['./R']],
  ['R', undefined, ['./R']],
])('%s on PATH %s is looked for as execvp does', (file, path, expected) => {
  expect(candidates(fromText(file), path === undefined ? undefined : fromText(path))).toEqual(expected);
});
