import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/**
 * Tests against real servers: `x.real.test.ts` belongs to OpenBao, `x.<component>.real.test.ts` to that component.
 * `npm run test:real -- <component>` installs the component and sets the patterns.
 */
const include = process.env.REAL_STACK_INCLUDE?.split(',') ?? [
  '{libraries,services,apps,tools,infrastructure,examples}/**/*.real.test.ts',
];
const exclude = process.env.REAL_STACK_EXCLUDE?.split(',').filter((pattern) => pattern !== '') ?? [];

// The projects of the default run have patterns of their own.
const { projects: _, sequence: __, ...settings } = base.test ?? {};

export default defineConfig({
  ...base,
  test: {
    ...settings,
    include,
    exclude: ['**/node_modules/**', '**/dist/**', ...exclude],
    setupFiles: ['tools/real-stack/src/test-file.ts'],
  },
});
