import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { events } from '../../common/index.ts';
import { answerLookup, FaultVault, reply } from '../../testing/fault-vault.ts';
import { tokenAuth, VaultClient } from '../../vault/index.ts';
import { openTelemetrySpans } from './index.ts';

/** Contexts that follow asynchronous work, as an SDK for Node brings them. */
class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with: ContextManager['with'] = (given, work, self, ...args) =>
    this.#storage.run(given, () => work.apply(self as ThisParameterType<typeof work>, args));

  bind<T>(_context: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('test');
const cleanups: (() => unknown)[] = [];
let stop: () => void;

beforeEach(() => {
  context.setGlobalContextManager(new AsyncContexts());
  stop = openTelemetrySpans(tracer);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  stop();
  context.disable();
  exporter.reset();
});

const spans = () => exporter.getFinishedSpans();

test('a call to Vault is a child of the span in which it was asked for, with its time and its result', async () => {
  const server = await FaultVault.listen();
  cleanups.push(() => server.close());
  server.handler = ({ path }, response) => {
    if (path.endsWith('/lookup-self')) return answerLookup(response);
    if (path.includes('denied')) return reply(response, 403, { errors: ['permission denied'] });
    return reply(response, 200, { data: { data: { a: 1 }, metadata: { version: 1 } } });
  };
  const client = await VaultClient.open({ address: server.address, ca: server.caPem, auth: tokenAuth({ token: 't' }) });
  cleanups.push(() => client.destroy());
  exporter.reset();
  const work = tracer.startSpan('work');
  await context.with(trace.setSpan(context.active(), work), async () => {
    await client.kv().read('a');
    await client
      .kv()
      .read('denied')
      .catch(() => undefined);
  });
  work.end();
  const [read, refused] = spans().filter(({ name }) => name === 'vault kv.read');
  expect(read?.attributes).toEqual({ 'vault.operation': 'kv.read', 'vault.status': 'success' });
  expect(read?.parentSpanContext?.spanId).toBe(work.spanContext().spanId);
  expect(read?.status.code).toBe(SpanStatusCode.UNSET);
  expect(refused?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'permission-denied' });
  // The client looks its own token up after a 403, and that belongs to no request.
  expect(spans().find(({ name }) => name === 'vault token.lookup')?.parentSpanContext).toBeUndefined();
});

test('a span has the time that the work took', () => {
  const beforeMs = Date.now();
  events.vaultRequest.publish(() => ({ operation: 'kv.read', status: 'success', durationMs: 1_234.5 }));
  const [span] = spans();
  const milliseconds = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1e6;
  expect(milliseconds(span?.duration ?? [0, 0])).toBeCloseTo(1_234.5, 1);
  expect(milliseconds(span?.endTime ?? [0, 0])).toBeGreaterThan(beforeMs - 1_000);
});

test('fetches of SVIDs and rotations are spans; pushes are none; after the end nothing is recorded', () => {
  const fetched = { svidType: 'jwt', durationMs: 2, spiffeId: 'spiffe://example.org/a' } as const;
  events.svid.publish(() => ({ ...fetched, change: 'success' }));
  events.svid.publish(() => ({ svidType: 'jwt', change: 'error', durationMs: 3 }));
  events.svid.publish(() => ({ svidType: 'x509', change: 'success', durationMs: 0 }));
  const rotation = { credential: 'database/role', reason: 'due', generation: 2, durationMs: 9, drainMs: 4 } as const;
  events.rotation.publish(() => ({ ...rotation, ok: true, terminated: 0 }));
  events.rotation.publish(() => ({ ...rotation, ok: false, terminated: 0, errorCode: 'probe-failed' }));
  expect(spans().map(({ name, status }) => `${name}: ${status.message ?? 'good'}`)).toEqual([
    'spiffe fetch jwt: good',
    'spiffe fetch jwt: error',
    'credential rotation: good',
    'credential rotation: probe-failed',
  ]);
  expect(spans()[0]?.attributes).toEqual({
    'spiffe.svid_type': 'jwt',
    'spiffe.status': 'success',
    'spiffe.id': 'spiffe://example.org/a',
  });
  expect(spans()[2]?.attributes).toMatchObject({ 'credential.name': 'database/role', 'credential.drain_ms': 4 });
  stop();
  events.rotation.publish(() => ({ ...rotation, ok: true, terminated: 0 }));
  expect(spans()).toHaveLength(4);
});
