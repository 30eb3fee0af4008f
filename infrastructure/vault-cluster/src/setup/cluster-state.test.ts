import type { VaultCall } from '@neural-hive/security/vault';
import type { VaultRequester } from '@neural-hive/vault-setup';
import { expect, test } from 'vitest';
import { enableAudit, setAutopilot } from './cluster-state.ts';

function server(answers: Readonly<Record<string, Readonly<Record<string, unknown>>>>) {
  const written: VaultCall[] = [];
  const client: VaultRequester = {
    async request(call) {
      if (call.method !== 'GET') written.push(call);
      return { data: answers[call.path] ?? {} };
    },
  };
  return { client, written };
}

const AUTOPILOT = {
  cleanup_dead_servers: true,
  dead_server_last_contact_threshold: '24h',
  last_contact_threshold: '10s',
  max_trailing_logs: 1000,
  min_quorum: 3,
  server_stabilization_time: '10s',
};
const PATH = 'sys/storage/raft/autopilot/configuration';

test('autopilot is written where it differs, and left where only the durations are spelt differently', async () => {
  const same = server({ [PATH]: { ...AUTOPILOT, dead_server_last_contact_threshold: '24h0m0s' } });
  expect(await setAutopilot(same.client, AUTOPILOT)).toEqual([]);
  expect(same.written).toEqual([]);
  const other = server({ [PATH]: { ...AUTOPILOT, min_quorum: 0, last_contact_threshold: '1m0s' } });
  expect(await setAutopilot(other.client, AUTOPILOT)).toEqual(['autopilot: last_contact_threshold, min_quorum']);
  expect(other.written).toEqual([{ method: 'POST', path: PATH, body: AUTOPILOT, safe: true }]);
});

const DEVICES = [
  { path: 'file', type: 'file' as const, options: { file_path: '/vault/audit/audit.log' } },
  { path: 'stdout', type: 'file' as const, options: { file_path: 'stdout' } },
];

test('audit devices that are not there are enabled, those that are there are left', async () => {
  const { client, written } = server({ 'sys/audit': { 'stdout/': { options: { file_path: 'stdout' } } } });
  expect(await enableAudit(client, DEVICES)).toEqual(['audit device file/']);
  expect(written).toEqual([
    { method: 'PUT', path: 'sys/audit/file', body: { type: 'file', options: { file_path: '/vault/audit/audit.log' } } },
  ]);
});

test('one that writes elsewhere is an error, and without devices nothing is asked', async () => {
  const elsewhere = server({ 'sys/audit': { 'file/': { options: { file_path: '/tmp/x' } } } });
  await expect(enableAudit(elsewhere.client, DEVICES)).rejects.toThrow(/file\/ writes to \/tmp\/x and should write to/);
  expect(await enableAudit({ request: () => Promise.reject(new Error('asked')) }, [])).toEqual([]);
});
