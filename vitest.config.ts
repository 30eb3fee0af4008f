import { defineConfig } from 'vitest/config';

const conditions = ['@neural-hive/source', 'node', 'import', 'module', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{libraries,services,apps,tools,infrastructure,examples}/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', 'examples/projects/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
