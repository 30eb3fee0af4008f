import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { EVERY_TYPE, ended, OPERATOR, RELEASE, reached, statuses } from '../../testing/plan-engine-contract.ts';
import { planOf } from '../../testing/plans.ts';
import { TemporalStage } from '../../testing/temporal-stage.ts';
import { workflowIdOf } from './plan-messages.ts';
import { loadTemporalSdk } from './temporal-sdk.ts';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const HISTORIES = join(import.meta.dirname, '..', '..', 'testing', 'histories');
/** Set to record anew, after a change that is meant to break old histories: which a deployment then has to do, too. */
const RECORD = process.env.RECORD_HISTORIES === 'true';
const sdk = loadTemporalSdk({ folder: process.env.TEMPORAL_SDK });

interface HistoryType {
  encode(history: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
}

/** The message type of histories: their bytes are what is stored. */
function historyType(): HistoryType {
  const load = createRequire(join(process.env.TEMPORAL_SDK ?? '', 'package.json'));
  const { temporal } = load('@temporalio/proto') as {
    temporal: { api: { history: { v1: { History: HistoryType } } } };
  };
  return temporal.api.history.v1.History;
}

/** `recorded`: base64, lines of it. */
async function replay(recorded: string): Promise<void> {
  const workflowBundle = await sdk.bundleWorkflow();
  const history = historyType().decode(Buffer.from(recorded, 'base64'));
  await sdk.Worker.runReplayHistory({ workflowBundle }, history);
}

let stage: TemporalStage;
beforeAll(async () => {
  stage = await TemporalStage.start();
}, 300_000);
afterAll(() => stage?.close());

/** The history of a plan's last run, without who ran it where. */
async function historyOf(planId: string): Promise<string> {
  const { workflow } = new stage.sdk.Client({
    connection: stage.connection,
    namespace: stage.server.namespace,
  }) as unknown as { workflow: { getHandle(id: string): { fetchHistory(): Promise<object> } } };
  const history = await workflow.getHandle(workflowIdOf(planId)).fetchHistory();
  const bytes = Buffer.from(historyType().encode(history).finish()).toString('latin1');
  const recorder = `${process.pid}@${hostname()}`;
  const anonymous = Buffer.from(bytes.replaceAll(recorder, 'x'.repeat(recorder.length)), 'latin1');
  return anonymous.toString('base64').replaceAll(/.{120}/g, '$&\n');
}

/** A plan with an approval, a retry, a pause, an attempt that fails for good, and undoing. */
async function runFailingPlan(planId: string): Promise<string> {
  await using engine = await stage.open();
  const worker = await stage.worker(
    async ({ ticket }) =>
      ticket.task_id === 'check' && ticket.task_type === 'EXECUTE' ? { errorClass: 'timeout' } : undefined,
    EVERY_TYPE,
  );
  const plan = planOf([...RELEASE, { id: 'check', needs: ['deploy'] }], { plan_id: planId, requires_approval: true });
  await engine.submit(plan, OPERATOR);
  for (const action of ['approve', 'pause', 'resume'] as const) {
    await engine.wish(planId, { action, by: OPERATOR, text: null });
  }
  const state = await ended(engine, planId);
  expect(statuses(state)).toMatchObject({ check: 'FAILED', build: 'COMPENSATED' });
  await worker.close();
  return historyOf(planId);
}

/** A plan that is cancelled while a worker holds one of its tickets. */
async function runCancelledPlan(planId: string): Promise<string> {
  await using engine = await stage.open();
  await engine.submit(planOf([{ id: 'a' }, { id: 'b', type: 'TEST' }], { plan_id: planId }), OPERATOR);
  await stage.claim('EXECUTE');
  await reached(engine, planId, ({ tickets }) => [...tickets.values()].some(({ status }) => status === 'RUNNING'));
  await engine.wish(planId, { action: 'cancel', by: OPERATOR, text: null });
  expect((await ended(engine, planId)).status).toBe('CANCELLED');
  return historyOf(planId);
}

test.each([
  ['failed-plan', runFailingPlan],
  ['cancelled-plan', runCancelledPlan],
] as const)(
  'the history of a %s, recorded now and recorded long ago, is what the code does today',
  async (name, run) => {
    const recorded = await run(name);
    await replay(recorded);
    const file = join(HISTORIES, `${name}.history`);
    if (RECORD) writeFileSync(file, `${recorded}\n`);
    await replay(readFileSync(file, 'utf8'));
  },
);

test('a history that the code would not have made is refused', async () => {
  const recorded = Buffer.from(readFileSync(join(HISTORIES, 'failed-plan.history'), 'utf8'), 'base64');
  const foreign = Buffer.from(recorded.toString('latin1').replaceAll('carryOut', 'carryOff'), 'latin1');
  expect(foreign.equals(recorded)).toBe(false);
  await expect(replay(foreign.toString('base64'))).rejects.toThrow(/carryOff/);
});
