import { type FerretDbServer, startFerretDb } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { describeMongoRotation } from '../../testing/mongo-rotation-contract.ts';
import { commandTarget } from '../../testing/mongo-target.ts';

// Four hundred rounds of load, on whatever machine this is.
vi.setConfig({ testTimeout: 180_000 });

let ferretDb: FerretDbServer;
beforeAll(async () => {
  ferretDb = await startFerretDb();
});
afterAll(() => ferretDb?.stop());

describeMongoRotation(() => commandTarget(ferretDb.uri, ferretDb), { describe, test, beforeAll, afterAll });
