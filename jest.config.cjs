const project = (name) => ({
  displayName: name,
  testEnvironment: 'node',
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  transform: { '\\.(ts|js)$': '<rootDir>/test/support/transform.cjs' },
  transformIgnorePatterns: ['/node_modules/(?!(chalk)/)'],
});

module.exports = {
  projects: [project('unit'), project('pam'), project('e2e'), project('real')],
  testTimeout: 60_000,
};
