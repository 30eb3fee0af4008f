import { expect } from 'vitest';

// Runs before every file of tests against real servers: what they start is noted under its name.
process.env.REAL_STACK_TEST = expect.getState().testPath;
