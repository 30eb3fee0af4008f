import { credentials, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import {
  AgentInfo,
  type DiscoverRequest,
  DiscoverResponse,
  ServiceRegistryService,
} from '@neural-hive/contracts/proto/service-registry';
import { afterEach, describe, expect, test } from 'vitest';
import { RegistryAdmission, type RegistryAdmissionOptions } from './registry-admission.ts';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A registry that answers `able`, and a question put to it. */
async function registryOf(answer: (request: DiscoverRequest) => boolean | Partial<ServiceError>) {
  const server = new Server();
  const asked: DiscoverRequest[] = [];
  const unexpected = (_call: unknown, done: (error: Partial<ServiceError>) => void): void =>
    done({ code: status.UNIMPLEMENTED });
  const methods = Object.keys(ServiceRegistryService).map((name) => [name, unexpected]);
  server.addService(ServiceRegistryService, {
    ...Object.fromEntries(methods),
    discoverAgents: ({ request }: { request: DiscoverRequest }, done: (error: unknown, value?: unknown) => void) => {
      asked.push(request);
      const able = answer(request);
      if (typeof able === 'object') done(able);
      else done(null, DiscoverResponse.create({ agents: able ? [AgentInfo.create({ agentId: 'w' })] : [] }));
    },
  } as never);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  closing.push(() => server.forceShutdown());
  return { port, asked, stop: () => server.forceShutdown() };
}

function admissionTo(port: number, options: Partial<RegistryAdmissionOptions> = {}): RegistryAdmission {
  const admission = new RegistryAdmission({
    address: `127.0.0.1:${port}`,
    credentials: credentials.createInsecure(),
    interceptors: [],
    windowMs: 400,
    intervalMs: 20,
    timeoutMs: 200,
    ...options,
  });
  closing.push(() => admission.close());
  return admission;
}

const BUILD = { taskType: 'BUILD' as const, capabilities: [] };
const GPU_TEST = { taskType: 'TEST' as const, capabilities: ['gpu'] };
const signal = new AbortController().signal;

describe('RegistryAdmission', () => {
  test('asks for every task type with what the task requires', async () => {
    const { port, asked } = await registryOf(() => true);
    expect(await admissionTo(port).check([BUILD, GPU_TEST], { signal })).toEqual({ kind: 'able', warning: null });
    expect(asked.map(({ capabilities, filters }) => [capabilities, filters.agent_type]).sort()).toEqual([
      [['BUILD'], 'WORKER'],
      [['TEST', 'gpu'], 'WORKER'],
    ]);
  });

  test('waits a while for somebody who is just starting', async () => {
    let questions = 0;
    const { port } = await registryOf(() => {
      questions += 1;
      return questions > 3;
    });
    expect(await admissionTo(port).check([BUILD], { signal })).toEqual({ kind: 'able', warning: null });
  });

  test('says what nobody alive can do', async () => {
    const { port } = await registryOf(({ capabilities }) => capabilities[0] === 'BUILD');
    expect(await admissionTo(port).check([BUILD, GPU_TEST], { signal })).toEqual({
      kind: 'unable',
      reason: 'nobody alive can do TEST with gpu',
    });
  });

  test('a registry that is away stops nothing', async () => {
    const { port, stop } = await registryOf(() => true);
    stop();
    const answer = await admissionTo(port).check([BUILD], { signal });
    expect(answer).toMatchObject({ kind: 'able', warning: expect.stringContaining('BUILD') });
  });

  test('a registry that refuses this caller is not asked again', async () => {
    const { port, asked } = await registryOf(() => ({ code: status.PERMISSION_DENIED, details: 'no' }));
    const answer = await admissionTo(port, { windowMs: 60_000 }).check([BUILD], { signal });
    expect(answer).toMatchObject({ kind: 'able', warning: expect.stringContaining('no') });
    expect(asked).toHaveLength(1);
  });

  test('ends with the signal', async () => {
    const { port } = await registryOf(() => false);
    const stopping = new AbortController();
    const answer = admissionTo(port, { windowMs: 60_000 }).check([BUILD], { signal: stopping.signal });
    stopping.abort(new Error('closed'));
    await expect(answer).rejects.toThrow('closed');
  });
});
