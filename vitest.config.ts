import { defineConfig } from 'vitest/config';
import { TotalsReporter } from './tools/check/src/totals-reporter.ts';

// Packages of this repository are used from source. Nothing else belongs here: Vitest hands the list to Node, and
// `import` or `module` in it would make the `require` of a dependency find files for `import`.
const conditions = ['@neural-hive/source', 'node'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{libraries,services,apps,tools,infrastructure,examples}/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', 'examples/projects/**', '**/*.real.test.ts'],
    reporters: ['default', new TotalsReporter()],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
