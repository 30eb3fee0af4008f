import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PRODUCTION_LIFETIMES } from '@neural-hive/vault-setup';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { InitSettings, Settings } from '../settings.ts';
import type { KeyStore } from './key-store.ts';
import { runInit } from './run-init.ts';

/** Answers by method and path, in the order of the list. */
type Script = Readonly<Record<string, readonly (readonly [number, object])[]>>;

let server: Server;
let address: string;
let calls: string[];
let script: Script;

beforeEach(async () => {
  calls = [];
  const turns = new Map<string, number>();
  server = createServer(async (request, response) => {
    for await (const _ of request);
    const key = `${request.method} ${request.url}`;
    calls.push(key);
    const turn = turns.get(key) ?? 0;
    turns.set(key, turn + 1);
    const answers = script[key] ?? [];
    const [status, body] = answers[Math.min(turn, answers.length - 1)] ?? [404, { errors: [] }];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function settings(): Settings & { init: InitSettings } {
  return {
    cluster: {
      servers: [address],
      address,
      autopilot: {
        cleanup_dead_servers: true,
        dead_server_last_contact_threshold: '24h',
        last_contact_threshold: '10s',
        max_trailing_logs: 1000,
        min_quorum: 1,
        server_stabilization_time: '10s',
      },
      auditDevices: [],
    },
    parameters: { lifetimes: PRODUCTION_LIFETIMES },
    init: {
      recoveryShares: 5,
      recoveryThreshold: 3,
      revokeRootToken: true,
      secrets: { recoveryKeys: 'keys', rootToken: 'token' },
    },
  };
}

const quiet = { log: () => {}, intervalMs: 1, keepLimitMs: 0 };
const keeping: KeyStore = { put: async () => {} };
const refusing: KeyStore = { put: () => Promise.reject(new Error('AccessDeniedException')) };

test('a cluster that is initialised and set up is left alone', async () => {
  script = {
    'GET /v1/sys/init': [
      [503, {}],
      [200, { initialized: true }],
    ],
    'POST /v1/auth/kubernetes/login': [
      [400, { errors: ['missing role'] }],
      [403, { errors: ['permission denied'] }],
    ],
  };
  await expect(runInit(settings(), { store: refusing, ...quiet })).resolves.toBe('already');
  expect(calls).not.toContain('PUT /v1/sys/init');
});

test.each([
  ['there is no method', [[403, { errors: ['permission denied'] }]]],
  [
    'there is no role',
    [
      [400, { errors: ['missing role'] }],
      [400, { errors: ['invalid role name "vault-bootstrap"'] }],
    ],
  ],
] as const)('one that was never set up (%s) is an error that says how to go on', async (_, answers) => {
  script = { 'GET /v1/sys/init': [[200, { initialized: true }]], 'POST /v1/auth/kubernetes/login': answers };
  const failing = runInit(settings(), { store: keeping, ...quiet });
  await expect(failing).rejects.toMatchObject({ code: 'unfinished' });
  await expect(failing).rejects.toThrow(/--root-token-file/);
});

test('a store that refuses the marker leaves the cluster uninitialised', async () => {
  script = { 'GET /v1/sys/init': [[200, { initialized: false }]] };
  await expect(runInit(settings(), { store: refusing, ...quiet })).rejects.toMatchObject({ code: 'store_refused' });
  expect(calls).toEqual(['GET /v1/sys/init']);
});

test('keys that cannot be kept are said to be lost, and nothing is set up', async () => {
  script = {
    'GET /v1/sys/init': [[200, { initialized: false }]],
    'PUT /v1/sys/init': [[200, { recovery_keys: ['k1'], recovery_keys_base64: ['azE='], root_token: 'hvs.root' }]],
  };
  let puts = 0;
  // The rehearsal is accepted, what comes after is not.
  const failing: KeyStore = { put: () => (++puts <= 2 ? Promise.resolve() : Promise.reject(new Error('throttled'))) };
  await expect(runInit(settings(), { store: failing, ...quiet })).rejects.toMatchObject({ code: 'keys_lost' });
  expect(calls).toEqual(['GET /v1/sys/init', 'PUT /v1/sys/init']);
});

test('a server that refuses to be initialised is an error without the answer', async () => {
  script = {
    'GET /v1/sys/init': [[200, { initialized: false }]],
    'PUT /v1/sys/init': [[400, { errors: ['invalid recovery configuration'] }]],
  };
  await expect(runInit(settings(), { store: keeping, ...quiet })).rejects.toThrow(/400 invalid recovery configuration/);
});
