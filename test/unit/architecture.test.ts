// docs/architecture.md tells the truth: every path it names exists.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

test('every path named in docs/architecture.md exists', () => {
  const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const paths = [...text.matchAll(/(?<![\w/.-])((?:bin|docs|profiles|scripts|src|test)\/[\w./-]*)/g)].map(
    ([, path = '']) => path.replace(/[.]$/, ''),
  );
  expect(paths.length).toBeGreaterThan(30);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
