import { type FerretDbServer, startFerretDb } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { describeMongoRotation } from '../../testing/mongo-rotation-contract.ts';
import { commandTarget } from '../../testing/mongo-target.ts';

/** More than the tests' 20 for a long run: `ROTATIONS=100 npm run test:real -- ferretdb`. */
const ROTATIONS = Number(process.env.ROTATIONS ?? 20);

// Twenty rounds of load a rotation, on whatever machine this is.
vi.setConfig({ testTimeout: ROTATIONS * 9_000 });

let ferretDb: FerretDbServer;
beforeAll(async () => {
  ferretDb = await startFerretDb();
});
afterAll(() => ferretDb?.stop());

describeMongoRotation(() => commandTarget(ferretDb.uri, ferretDb), { describe, test, beforeAll, afterAll }, ROTATIONS);
