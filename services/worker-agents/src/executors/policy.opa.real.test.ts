import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type OpaServer, startOpa } from '@neural-hive/real-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import { PolicyClient, type PolicyClientOptions } from '../adapters/opa/policy-client.ts';
import type { Executor } from '../domain/executor.ts';
import { failureOf, type TicketFailure } from '../domain/failure.ts';
import { openFolder } from '../testing/guards.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { validateExecutor } from './validate.ts';

const POLICY = `package deploy

default allow := false

allow if count(deny) == 0

deny contains "the target is not known" if not input.target in {"web", "api"}

deny contains "more than 3 replicas" if input.replicas > 3

decision := {"allow": allow, "deny": deny}

half := {"allow": "perhaps"}
`;
const NAMES = ['deploy/allow', 'deploy/decision', 'deploy/half', 'deploy/gone'];
const base = openFolder('policy');
const tokenFile = join(base, 'token');

let opa: OpaServer;
let executor: Executor;

async function executorWith(more: Partial<PolicyClientOptions> = {}): Promise<Executor> {
  const client = new PolicyClient({ url: opa.address, caFile: opa.caFile, tokenFile, ...more });
  const artifacts = await ArtifactStore.open(join(base, 'artifacts'));
  return validateExecutor({ projects: base, artifacts, policies: { client, names: NAMES } });
}

beforeAll(async () => {
  opa = await startOpa();
  writeFileSync(tokenFile, `${opa.token.reveal()}\n`, { mode: 0o600 });
  expect((await opa.call('policies/deploy', { method: 'PUT', body: POLICY })).status).toBe(200);
  executor = await executorWith();
});
afterAll(() => opa?.stop());

function ask(policy: string, input: object, by = executor) {
  const parameters = { kind: 'policy', policy, input: JSON.stringify(input) };
  return by.execute(executionOf(ticketOf({ task_type: 'VALIDATE', parameters })));
}

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return failureOf(error);
}

test.each(['deploy/allow', 'deploy/decision'])('OPA decides by its policy (%s)', async (policy) => {
  expect((await ask(policy, { target: 'web', replicas: 3 })).output).toEqual({ valid: 'true' });
  expect(await failure(ask(policy, { target: 'web', replicas: 4 }))).toMatchObject({
    code: 'execution',
    output: { valid: 'false' },
  });
});

test('a policy that says why is heard', async () => {
  const { output } = await failure(ask('deploy/decision', { target: 'db', replicas: 4 }));
  expect(output.problems?.split('\n').sort()).toEqual(['more than 3 replicas', 'the target is not known']);
});

test('a decision that OPA does not have says no, and one that is none is no yes', async () => {
  expect(await failure(ask('deploy/gone', {}))).toMatchObject({ code: 'execution' });
  expect(await failure(ask('deploy/half', {}))).toMatchObject({ code: 'backend' });
});

test('who does not bring the token, and who does not trust the server, gets no decision', async () => {
  const input = { target: 'web', replicas: 1 };
  expect((await ask('deploy/allow', input)).output).toEqual({ valid: 'true' });
  const without = await executorWith({ tokenFile: undefined });
  expect(await failure(ask('deploy/allow', input, without))).toMatchObject({
    code: 'backend',
    message: expect.stringContaining('401'),
  });
  const distrustful = await executorWith({ caFile: undefined });
  expect(await failure(ask('deploy/allow', input, distrustful))).toMatchObject({ code: 'backend' });
});

test('a token that is replaced in its file is the one that is shown next', async () => {
  const input = { target: 'web', replicas: 1 };
  writeFileSync(tokenFile, 'old');
  expect(await failure(ask('deploy/allow', input))).toMatchObject({ message: expect.not.stringContaining('old') });
  writeFileSync(tokenFile, opa.token.reveal());
  expect((await ask('deploy/allow', input)).output).toEqual({ valid: 'true' });
});
