import { expect, test } from 'vitest';
import { TicketFailure } from '../domain/failure.ts';
import type { ExecutionSecrets } from '../domain/ports.ts';
import { type Execute, workerStage } from '../testing/worker-stage.ts';

const stage = workerStage();
const { worker, publish, result, stored, secrets } = stage;

test('item 36: the output of a sensitive ticket goes to the secrets, and only its reference travels', async () => {
  worker({ QUERY: async () => ({ output: { rows: 'hidden' }, logs: ['hidden'] }) });
  await publish({ task_type: 'QUERY', metadata: { security_level: 'CONFIDENTIAL' } });
  await result().toMatchObject({
    output_reference: `worker/results/${stage.ticketId}`,
    result: { output: {}, logs: [] },
  });
  expect(stored.get(stage.ticketId)).toMatchObject({ output: { rows: 'hidden' }, logs: ['hidden'] });
});

test('marked outputs go to the secrets, and the rest travels', async () => {
  worker({ QUERY: async () => ({ output: { rows: 'hidden', row_count: '1' } }) });
  await publish({ task_type: 'QUERY', parameters: { sensitive: 'rows' } });
  await result().toMatchObject({
    output_reference: `worker/results/${stage.ticketId}`,
    result: { output: { row_count: '1' } },
  });
  expect(stored.get(stage.ticketId)).toMatchObject({ output: { rows: 'hidden', row_count: '1' } });
});

test('a sensitive result waits for the secrets to answer, and its ticket stays held', async () => {
  let failures = 3;
  let executed = 0;
  const execute: Execute = async () => {
    executed += 1;
    return { output: { rows: 'hidden' } };
  };
  const storeResult: ExecutionSecrets['storeResult'] = (...args) => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new Error('sealed')) : secrets.storeResult(...args);
  };
  worker({ QUERY: execute }, { storeResult });
  await publish({ task_type: 'QUERY', security_level: 'RESTRICTED' });
  await result().toMatchObject({ status: 'COMPLETED', output_reference: `worker/results/${stage.ticketId}` });
  expect(executed).toBe(1);
});

test('a sensitive result that cannot be kept is a failure, and nothing of it travels', async () => {
  const refused = new TicketFailure('fenced', 'A newer attempt has stored its result already');
  worker(
    { QUERY: async () => ({ output: { rows: 'hidden' }, logs: ['hidden'] }) },
    { storeResult: () => Promise.reject(refused) },
  );
  await publish({ task_type: 'QUERY', security_level: 'RESTRICTED' });
  await result().toMatchObject({ status: 'FAILED', error_class: 'fenced', output_reference: null });
  expect(JSON.stringify(await stage.database.result(stage.ticketId))).not.toContain('hidden');
});
