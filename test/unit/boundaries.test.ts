// The layers of docs/architecture.md are kept by lint: each forbidden import is reported, with its reason.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '../..');

const FORBIDDEN = [
  { file: 'src/session/a.ts', code: "import 'koffi';", reason: 'koffi stays behind src/ffi' },
  { file: 'src/system/b.ts', code: "import 'node:child_process';", reason: 'libuv drops groups' },
  { file: 'src/session/c.ts', code: "import 'node:worker_threads';", reason: 'belong to the main thread' },
  { file: 'src/cli/d.ts', code: "import 'chalk';", reason: 'colours are src/cli/report.ts' },
  { file: 'src/config/e.ts', code: "import 'ini';", reason: 'parsed in src/config/read.ts' },
  { file: 'src/session/f.ts', code: "import 'commander';", reason: 'the command line is src/cli' },
  { file: 'src/session/plan.ts', code: "import 'node:fs';", reason: 'this file is pure' },
  { file: 'src/session/environment.ts', code: "import '../system/account';", reason: 'must not act' },
  { file: 'src/config/settings.ts', code: "import 'node:fs';", reason: 'this file is pure' },
  { file: 'src/session/g.ts', code: "import '../cli/report';", reason: 'nothing but main.ts imports cli' },
  { file: 'src/session/h.ts', code: "import '../ffi/libc';", reason: 'foreign functions are for' },
  { file: 'src/pam/i.ts', code: "import '../system/account';", reason: 'must not act' },
  { file: 'src/system/j.ts', code: "import '../session/run';", reason: 'session uses this layer' },
  { file: 'src/ffi/k.ts', code: "import '../errors';", reason: 'ffi knows no failures' },
  { file: 'src/cli/l.ts', code: "import '../pam/transaction';", reason: 'used by session only' },
  { file: 'src/cli/m.ts', code: "import '../main';", reason: 'composition root' },
  { file: 'src/cli/n.ts', code: 'process.exit(1);', reason: 'main.ts alone ends the process' },
  { file: 'src/cli/o.ts', code: "console.log('x');", reason: 'console' },
  { file: 'src/pam/p.ts', code: "import './q';\nexport const p = 1;", reason: 'cycle' },
];

describe('lint refuses', () => {
  let report = '';
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'boundaries-'));
    cpSync(join(ROOT, 'scripts/lint'), join(directory, 'scripts/lint'), { recursive: true });
    const config = readFileSync(join(ROOT, 'biome.json'), 'utf8');
    writeFileSync(join(directory, 'biome.json'), config.replace('"enabled": true', '"enabled": false'));
    const files = [...FORBIDDEN, { file: 'src/pam/q.ts', code: "import './p';\nexport const q = 1;" }];
    for (const { file, code } of files) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), `${code}\n`);
    }
    const biome = join(ROOT, 'node_modules/.bin/biome');
    const result = spawnSync(biome, ['lint', '--max-diagnostics=200', '--reporter=json', '.'], {
      cwd: directory,
      encoding: 'utf8',
    });
    report = result.stdout;
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(FORBIDDEN)('$code in $file', ({ file, reason }) => {
    const { diagnostics } = JSON.parse(report) as { diagnostics: { location: { path: unknown } }[] };
    const ofFile = diagnostics.filter((found) => JSON.stringify(found.location).includes(file));
    expect(JSON.stringify(ofFile)).toContain(reason);
  });
});
