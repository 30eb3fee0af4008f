import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { laidOver, readSettings } from './settings.ts';

const SETTINGS = {
  cluster: {
    servers: ['https://vault-0.vault-internal:8200'],
    address: 'https://vault:8200',
    ca: '/ca.crt',
    autopilot: {
      cleanup_dead_servers: true,
      dead_server_last_contact_threshold: '24h',
      last_contact_threshold: '10s',
      max_trailing_logs: 1000,
      min_quorum: 3,
      server_stabilization_time: '10s',
    },
  },
  parameters: { kubernetes: { host: 'https://kubernetes.default.svc' }, postgres: { url: 'u', username: 'vault' } },
};

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/settings-');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

test('secret parameters are laid over the others, field by field', () => {
  const path = write('settings.json', SETTINGS);
  const secret = write('parameters.json', { postgres: { password: 'secret' } });
  const settings = readSettings(path, secret);
  expect(settings.parameters.postgres).toEqual({ url: 'u', username: 'vault', password: 'secret' });
  expect(settings.parameters.lifetimes.jobSeconds).toBe(600);
  expect(settings.cluster.auditDevices).toEqual([]);
});

test('a field that does not exist, one that is missing and a wrong value are refused by name', () => {
  expect(() => readSettings(write('a', { ...SETTINGS, other: 1 }))).toThrow(/other/);
  const { ca: _, servers: __, ...cluster } = SETTINGS.cluster;
  expect(() => readSettings(write('b', { ...SETTINGS, cluster }))).toThrow(/servers/);
  const autopilot = { ...SETTINGS.cluster.autopilot, last_contact_threshold: 'soon' };
  expect(() => readSettings(write('c', { ...SETTINGS, cluster: { ...SETTINGS.cluster, autopilot } }))).toThrow(
    /last_contact_threshold/,
  );
});

test('a file that is not JSON is refused without being quoted', () => {
  const path = write('settings.json', SETTINGS);
  const broken = write('parameters.json', '{"postgres": {"password": "hunter2"');
  expect(() => readSettings(path, broken)).toThrow(/it is not JSON/);
  expect(() => readSettings(path, broken)).not.toThrow(/hunter2/);
  expect(() => readSettings(join(folder, 'gone'))).toThrow(/ENOENT/);
});

test('lists and texts are replaced as a whole', () => {
  expect(laidOver({ a: [1, 2], b: { c: 1, d: 2 } }, { a: [3], b: { c: 4 } })).toEqual({ a: [3], b: { c: 4, d: 2 } });
});
