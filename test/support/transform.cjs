// Jest transform: TypeScript and ES modules to CommonJS with the bundler the build uses.
const { transformSync } = require('esbuild');
const { version } = require('../../package.json');

module.exports = {
  process(source, path) {
    return transformSync(source, {
      loader: path.endsWith('.ts') ? 'ts' : 'js',
      format: 'cjs',
      target: 'node20',
      sourcefile: path,
      sourcemap: 'inline',
      define: { __VERSION__: JSON.stringify(version) },
    });
  },
};
