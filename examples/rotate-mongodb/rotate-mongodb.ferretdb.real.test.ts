import { startFerretDb } from '@neural-hive/real-stack';
import { expect, test } from 'vitest';
import { commandTarget } from '../../libraries/security/src/testing/mongo-target.ts';
import { runExample } from './live-rotation.ts';

const SECONDS = 1_000;

test(
  'the example follows a stored login on FerretDB, without an error after the old user is dropped',
  async () => {
    await using server = await startFerretDb();
    await using target = await commandTarget(server.uri, server);
    expect(await runExample(target, 3)).toEqual({ exitCode: 0, errors: '', generations: [1, 2, 3, 4] });
  },
  120 * SECONDS,
);
