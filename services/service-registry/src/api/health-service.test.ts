import { once } from 'node:events';
import {
  type Client,
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HEALTH_SERVICE, type HealthCheckRequest, type HealthCheckResponse } from './health-message.ts';
import { HealthService } from './health-service.ts';

let server: Server;
let client: Client;
let health: HealthService;
let serving: boolean;

beforeEach(async () => {
  serving = true;
  health = new HealthService(() => serving);
  server = new Server();
  server.addService(HEALTH_SERVICE, { check: health.check, watch: health.watch });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const HealthClient = makeGenericClientConstructor(HEALTH_SERVICE, 'Health');
  client = new HealthClient(`127.0.0.1:${port}`, credentials.createInsecure());
});
afterEach(() => {
  client.close();
  server.forceShutdown();
});

function check(service: string): Promise<HealthCheckResponse> {
  const { path, requestSerialize, responseDeserialize } = HEALTH_SERVICE.check;
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest<HealthCheckRequest, HealthCheckResponse>(
      path,
      requestSerialize,
      responseDeserialize,
      { service },
      (error, response) => (error || response === undefined ? reject(error) : resolve(response)),
    ),
  );
}

test('the server and the registry are asked by name, and another name is not found', async () => {
  expect(await check('')).toEqual({ status: 'SERVING' });
  expect(await check('neural_hive.service_registry.ServiceRegistry')).toEqual({ status: 'SERVING' });
  serving = false;
  expect(await check('')).toEqual({ status: 'NOT_SERVING' });
  await expect(check('another')).rejects.toMatchObject({ code: status.NOT_FOUND });
});

test('a watch is told of each change once, and ends when the service does', async () => {
  const { path, requestSerialize, responseDeserialize } = HEALTH_SERVICE.watch;
  const stream = client.makeServerStreamRequest<HealthCheckRequest, HealthCheckResponse>(
    path,
    requestSerialize,
    responseDeserialize,
    { service: '' },
  );
  const told: string[] = [];
  stream.on('data', (response: HealthCheckResponse) => told.push(response.status));
  await once(stream, 'data');
  health.refresh();
  serving = false;
  health.refresh();
  await once(stream, 'data');
  serving = true;
  health.refresh();
  await once(stream, 'data');
  health.close();
  await once(stream, 'end');
  expect(told).toEqual(['SERVING', 'NOT_SERVING', 'SERVING', 'NOT_SERVING']);
});
