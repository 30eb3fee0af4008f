import { expect, test } from 'vitest';
import { endpointTarget } from './endpoint.ts';

test('unix paths and IP addresses with a port are endpoints (E-05, E-06, E-07)', () => {
  expect(endpointTarget('unix:///run/agent.sock')).toBe('unix:/run/agent.sock');
  expect(endpointTarget('unix:/run/agent.sock')).toBe('unix:/run/agent.sock');
  expect(endpointTarget('tcp://127.0.0.1:8000')).toBe('ipv4:127.0.0.1:8000');
  expect(endpointTarget('tcp://[::1]:8000')).toBe('ipv6:[::1]:8000');
});

test.each([
  'unix://host/agent.sock',
  'unix:agent.sock',
  'unix:///a?b',
  'unix:///a#b',
  'tcp://localhost:8000',
  'tcp://127.0.0.1',
  'tcp://127.0.0.1:0',
  'tcp://127.0.0.1:70000',
  'tcp://user@127.0.0.1:1',
  'tcp://127.0.0.1:1/path',
  'http://127.0.0.1:1',
  '/run/agent.sock',
  '',
])('%s is no endpoint', (endpoint) => {
  expect(() => endpointTarget(endpoint)).toThrow(expect.objectContaining({ code: 'ENDPOINT_INVALID' }));
});

test('a socket path that Node would cut is refused', () => {
  expect(() => endpointTarget(`unix:///${'a'.repeat(102)}`)).not.toThrow();
  expect(() => endpointTarget(`unix:///${'a'.repeat(103)}`)).toThrow(RangeError);
});
