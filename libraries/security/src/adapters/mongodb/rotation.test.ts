import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { describeMongoRotation } from '../../testing/mongo-rotation-contract.ts';
import { scriptedTarget } from '../../testing/mongo-target.ts';

// Four hundred rounds of load, on whatever machine this is.
vi.setConfig({ testTimeout: 180_000 });

describeMongoRotation(scriptedTarget, { describe, test, beforeAll, afterAll });
