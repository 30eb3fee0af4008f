import { once } from 'node:events';
import {
  type ClientReadableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import {
  type AgentChangeEvent,
  AgentStatus,
  AgentType,
  AgentChangeEvent_EventType as EventType,
  RegisterRequest,
  ServiceRegistryClient,
  ServiceRegistryService,
} from '@neural-hive/contracts/proto/service-registry';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { codeOf, unaryCall } from '../testing/grpc-call.ts';
import { OTHER_WORKER, openRegistry, WORKER } from '../testing/registry-fixture.ts';
import { type OperationReport, registryService } from './service.ts';

/** The methods over real gRPC; who calls is read from a header here, authentication is tested with the whole service. */
let server: Server;
let client: ServiceRegistryClient;
let stopping: AbortController;
let reports: OperationReport[];
let clock: Awaited<ReturnType<typeof openRegistry>>['clock'];

beforeEach(async () => {
  const opened = await openRegistry({ keptChanges: 20 });
  clock = opened.clock;
  reports = [];
  stopping = new AbortController();
  server = new Server();
  const callerOf = (call: { metadata: Metadata }) => String(call.metadata.get('caller')[0]);
  server.addService(
    ServiceRegistryService,
    registryService({
      ...opened,
      callerOf,
      onOperation: (report) => reports.push(report),
      signal: stopping.signal,
    }),
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  client = new ServiceRegistryClient(`127.0.0.1:${port}`, credentials.createInsecure());
});
afterEach(() => {
  client.close();
  server.forceShutdown();
});

function as(caller: string): Metadata {
  const metadata = new Metadata();
  metadata.set('caller', caller);
  return metadata;
}

const { register: REGISTER, heartbeat: HEARTBEAT, deregister: DEREGISTER } = ServiceRegistryService;
const { discoverAgents: DISCOVER, getAgent: GET, listAgents: LIST, notifyAgent: NOTIFY } = ServiceRegistryService;

function call<Request, Response>(
  method: Parameters<typeof unaryCall<Request, Response>>[1],
  request: Request,
  caller = WORKER,
): Promise<Response> {
  return unaryCall(client, method, request, as(caller));
}

const registration = (overrides: Partial<RegisterRequest> = {}): RegisterRequest => ({
  ...RegisterRequest.create({ agentType: AgentType.WORKER, capabilities: ['build', 'test'], instanceId: 'worker-1' }),
  ...overrides,
});

async function register(overrides: Partial<RegisterRequest> = {}, caller = WORKER): Promise<string> {
  return (await call(REGISTER, registration(overrides), caller)).agentId;
}

/** The events of a stream, one by one. */
function events(stream: ClientReadableStream<AgentChangeEvent>): () => Promise<AgentChangeEvent> {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<AgentChangeEvent>;
  return async () => (await iterator.next()).value;
}

test('an agent registers, sends a heartbeat, is found with its score, listed, read and removed', async () => {
  const agentId = await register();
  const telemetry = {
    successRate: 1,
    avgDurationMs: 5,
    totalExecutions: 2,
    failedExecutions: 0,
    lastExecutionAt: 900_000,
    active: 1,
    capacity: 4,
  };
  expect(await call(HEARTBEAT, { agentId, telemetry })).toEqual({
    status: AgentStatus.HEALTHY,
    lastSeen: 1_000_000,
  });
  const found = await call(DISCOVER, { capabilities: ['build'], filters: {}, maxResults: 0 });
  expect(found).toMatchObject({ ranked: true, scores: [0.925], agents: [{ agentId, spiffeId: WORKER, telemetry }] });
  const listed = await call(LIST, { agentType: 0, filters: {}, pageSize: 0, pageToken: '' });
  expect(listed).toMatchObject({ nextPageToken: '', agents: [{ agentId }] });
  const read = await call(GET, { agentId });
  expect(read.agent).toMatchObject({ agentId, registeredAt: 1_000_000, lastSeen: 1_000_000, schemaVersion: 1 });
  expect(await call(DEREGISTER, { agentId })).toEqual({ success: true });
  expect(reports.map(({ operation, status: name }) => `${operation} ${name}`)).toEqual([
    'register OK',
    'heartbeat OK',
    'discover_agents OK',
    'list_agents OK',
    'get_agent OK',
    'deregister OK',
  ]);
});

describe('refusals', () => {
  test('carry the status of their reason', async () => {
    const agentId = await register();
    const absent = '00000000-0000-8000-8000-000000000000';
    expect(await codeOf(call(HEARTBEAT, { agentId, telemetry: undefined }, OTHER_WORKER))).toBe(
      status.PERMISSION_DENIED,
    );
    expect(await codeOf(call(DEREGISTER, { agentId }, OTHER_WORKER))).toBe(status.PERMISSION_DENIED);
    expect(await codeOf(call(HEARTBEAT, { agentId: absent, telemetry: undefined }))).toBe(status.NOT_FOUND);
    expect(await codeOf(call(GET, { agentId: absent }))).toBe(status.NOT_FOUND);
    expect(await codeOf(call(GET, { agentId: 'x' }))).toBe(status.INVALID_ARGUMENT);
    expect(await codeOf(register({ agentType: AgentType.AGENT_TYPE_UNSPECIFIED }))).toBe(status.INVALID_ARGUMENT);
    expect(await codeOf(register({ agentType: 99 as never }))).toBe(status.INVALID_ARGUMENT);
    expect(await codeOf(register({ instanceId: '' }))).toBe(status.INVALID_ARGUMENT);
    expect(await codeOf(call(DISCOVER, { capabilities: [], filters: {}, maxResults: 0 }))).toBe(
      status.INVALID_ARGUMENT,
    );
    for (const pageToken of ['!', 'AAAA', `${Buffer.from(absent).toString('base64url')}=`]) {
      const request = { agentType: 0, filters: {}, pageSize: 0, pageToken } as const;
      expect(await codeOf(call(LIST, request))).toBe(status.INVALID_ARGUMENT);
    }
    expect(await codeOf(call(GET, { agentId }))).toBe(status.OK);
  });

  test('for a reason nobody foresaw say nothing of it', async () => {
    const agentId = await register();
    clock.now = () => {
      throw new Error('password=hunter2');
    };
    await expect(call(GET, { agentId })).rejects.toMatchObject({
      code: status.INTERNAL,
      details: 'The registry failed; its log says why',
    });
    expect(String(reports.at(-1)?.error)).toContain('hunter2');
  });
});

test('pages of a list join by their tokens', async () => {
  const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((instanceId) => register({ instanceId })));
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await call(LIST, { agentType: AgentType.WORKER, filters: {}, pageSize: 2, pageToken });
    seen.push(...page.agents.map(({ agentId }) => agentId));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(seen).toEqual([...all].sort());
});

describe('WatchAgents', () => {
  const watch = (afterRevision: number, caller = WORKER) =>
    client.watchAgents({ agentType: 0, afterRevision }, as(caller));

  test('brings the agents of now, what follows, and notifications of the own agents', async () => {
    const agentId = await register();
    const stream = watch(0);
    const next = events(stream);
    expect(await next()).toMatchObject({ eventType: EventType.REGISTERED, revision: 1, agent: { agentId } });
    const notification = { notificationType: 'drain', message: 'm', metadata: { a: 'b' } };
    expect(await call(NOTIFY, { agentId, ...notification })).toEqual({ success: true, error: '' });
    expect(await next()).toMatchObject({ eventType: EventType.NOTIFIED, revision: 2, notification });
    stream.cancel();
    await expect(next()).rejects.toMatchObject({ code: status.CANCELLED });
    // The server learns of the cancellation later than the client.
    await vi.waitFor(() => expect(reports.at(-1)?.operation).toBe('watch_agents'));
    expect(await call(NOTIFY, { agentId, ...notification })).toMatchObject({ success: false });
  });

  test('a revision that is not kept is OUT_OF_RANGE, with what to do', async () => {
    for (let round = 0; round < 45; round += 1) await register({ version: `${round}` });
    const [error] = (await once(watch(1).resume(), 'error')) as [ServiceError];
    expect(error).toMatchObject({ code: status.OUT_OF_RANGE });
    expect(error.details).toContain('watch again with after_revision 0');
  });

  test('ends with UNAVAILABLE when the registry stops, so that the watcher comes back', async () => {
    await register();
    const next = events(watch(0));
    await next();
    stopping.abort();
    await expect(next()).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  test('a watcher that reads slowly gets every change once it reads', async () => {
    const stream = watch(0);
    const next = events(stream);
    await register({ instanceId: 'first' });
    const revisions = [(await next()).revision];
    const note = 'n'.repeat(14_000);
    for (let round = 0; round < 15; round += 1) await register({ metadata: { note, round: `${round}` } });
    while (revisions.length < 16) revisions.push((await next()).revision);
    expect(revisions).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
    stream.on('error', () => undefined).cancel();
  });
});
