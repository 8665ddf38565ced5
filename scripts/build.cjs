// Bundles src/main.ts into the one file that bin/rsession-pam starts; koffi stays outside, it carries a native binary.
const { renameSync } = require('node:fs');
const { buildSync } = require('esbuild');
const { version } = require('../package.json');

const root = `${__dirname}/..`;
const bundle = `${root}/dist/rsession-pam.cjs`;

buildSync({
  absWorkingDir: root,
  entryPoints: ['src/main.ts'],
  outfile: `${bundle}.new`,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['koffi'],
  define: { __VERSION__: JSON.stringify(version) },
  legalComments: 'eof',
  logLevel: 'warning',
});

// Whoever starts it meanwhile gets the old one or the new one, whole.
renameSync(`${bundle}.new`, bundle);
