import { afterEach, expect, test, vi } from 'vitest';

const OTHERS = ['prom-client', '@grpc/grpc-js', 'undici', 'pg', '@bufbuild/protobuf/wire', 'cockatiel', 'zod'];

afterEach(() => {
  for (const name of OTHERS) vi.doUnmock(name);
  vi.resetModules();
});

test('the OpenTelemetry adapter loads none of the other packages that the library knows', async () => {
  for (const name of OTHERS) {
    vi.doMock(name, () => {
      throw new Error(`${name} was loaded`);
    });
  }
  await expect(import('../prometheus/index.ts')).rejects.toThrow();
  await expect(import('../../vault/index.ts')).rejects.toThrow();
  const { openTelemetryMetrics, openTelemetrySpans } = await import('./index.ts');
  // Without an SDK both do nothing.
  openTelemetryMetrics().vault.request('kv.read', 'success', 1);
  openTelemetrySpans()();
});
