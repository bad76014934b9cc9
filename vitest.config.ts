import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process per file: a crash of the addon then ends one file's tests and names it.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    typecheck: {
      enabled: true,
      include: ['test/**/*.test-d.ts'],
      tsconfig: './tsconfig.check.json',
      // Errors outside the type tests belong to `npm run typecheck`.
      ignoreSourceErrors: true,
    },
  },
});
