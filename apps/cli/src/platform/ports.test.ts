import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { choosePorts, DEFAULT_PORTS, requireFreePorts } from './ports.ts';

test('HIVE_PORT_BASE moves every port and must be a port', () => {
  expect(choosePorts({})).toEqual(DEFAULT_PORTS);
  const moved = Object.values(choosePorts({ HIVE_PORT_BASE: '20000' }));
  expect(Math.min(...moved)).toBe(20_000);
  expect(new Set(moved).size).toBe(moved.length);
  expect(() => choosePorts({ HIVE_PORT_BASE: '80' })).toThrow('HIVE_PORT_BASE is 80');
});

test('a taken port is named, with what to do', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const free = { ...choosePorts({ HIVE_PORT_BASE: '31000' }) };
  await requireFreePorts(free);
  await expect(requireFreePorts({ ...free, vault: port })).rejects.toThrow(`port ${port} (vault)`);
  server.close();
});
