import { defineConfig } from 'vitest/config';
import { PlatformInOrder } from './tools/check/src/platform-in-order.ts';
import { TotalsReporter } from './tools/check/src/totals-reporter.ts';

// Packages of this repository are used from source. Nothing else belongs here: Vitest hands the list to Node, and
// `import` or `module` in it would make the `require` of a dependency find files for `import`.
const conditions = ['@neural-hive/source', 'node'];

const EXCLUDED = ['**/node_modules/**', '**/dist/**', 'examples/projects/**', '**/*.real.test.ts'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    reporters: ['default', new TotalsReporter()],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    sequence: { sequencer: PlatformInOrder },
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['{libraries,services,apps,tools,infrastructure,examples}/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...EXCLUDED, 'apps/cli/src/e2e/**'],
        },
      },
      {
        extends: true,
        // The whole platform, started as a user does: after the parts, one file at a time, since files kill and measure.
        test: {
          name: 'platform',
          include: ['apps/cli/src/e2e/**/*.test.ts'],
          exclude: EXCLUDED,
          globalSetup: 'apps/cli/src/e2e/shared-platform.ts',
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
