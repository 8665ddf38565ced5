// Bundles src/main.ts into the one file that bin/rsession-pam starts; koffi stays outside, it carries a native binary.
const { buildSync } = require('esbuild');
const { version } = require('../package.json');

buildSync({
  absWorkingDir: `${__dirname}/..`,
  entryPoints: ['src/main.ts'],
  outfile: 'dist/rsession-pam.cjs',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['koffi'],
  define: { __VERSION__: JSON.stringify(version) },
  legalComments: 'eof',
  logLevel: 'warning',
});
