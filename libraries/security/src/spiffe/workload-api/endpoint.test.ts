import { expect, test } from 'vitest';
import { endpointTarget } from './endpoint.ts';

test('E-05, E-06, E-07: unix paths and IP addresses with a port are endpoints', () => {
  expect(endpointTarget('unix:///run/agent.sock')).toBe('unix:/run/agent.sock');
  expect(endpointTarget('unix:/run/agent.sock')).toBe('unix:/run/agent.sock');
  expect(endpointTarget('tcp://127.0.0.1:8000')).toBe('ipv4:127.0.0.1:8000');
  expect(endpointTarget('tcp://[::1]:8000')).toBe('ipv6:[::1]:8000');
});

function refuses(...endpoints: readonly string[]): void {
  expect(endpointTarget('unix:///run/agent.sock')).toBe('unix:/run/agent.sock');
  for (const endpoint of endpoints) {
    expect(() => endpointTarget(endpoint), endpoint).toThrow(expect.objectContaining({ code: 'ENDPOINT_INVALID' }));
  }
}

test('E-05: another scheme, or none, is refused', () => {
  refuses('http://127.0.0.1:1', 'https://127.0.0.1:1', '/run/agent.sock', 'agent.sock', 'npipe:agent', 'UNIX:///a', '');
});

test('E-06: a unix endpoint with an authority, a relative path, a query or a fragment is refused', () => {
  refuses('unix://host/agent.sock', 'unix://user@/a', 'unix:agent.sock', 'unix:./a', 'unix:', 'unix://');
  refuses('unix:///a?b', 'unix:///a#b', 'unix:////a');
});

test('E-07: a tcp endpoint with a name, without a port or with more than both is refused', () => {
  refuses('tcp://localhost:8000', 'tcp://127.0.0.1', 'tcp://127.0.0.1:0', 'tcp://127.0.0.1:70000', 'tcp://:80');
  refuses('tcp://user@127.0.0.1:1', 'tcp://127.0.0.1:1/path', 'tcp://127.0.0.1:1/', 'tcp://::1:80', 'tcp://127.1:1');
});

test('E-04: without configuration the environment is read, and nothing else', () => {
  const before = process.env.SPIFFE_ENDPOINT_SOCKET;
  try {
    process.env.SPIFFE_ENDPOINT_SOCKET = 'unix:///from/environment.sock';
    expect(endpointTarget()).toBe('unix:/from/environment.sock');
    expect(endpointTarget('unix:///given.sock')).toBe('unix:/given.sock');
    delete process.env.SPIFFE_ENDPOINT_SOCKET;
    expect(() => endpointTarget()).toThrow(/SPIFFE_ENDPOINT_SOCKET/);
  } finally {
    if (before === undefined) delete process.env.SPIFFE_ENDPOINT_SOCKET;
    else process.env.SPIFFE_ENDPOINT_SOCKET = before;
  }
});

test('a socket path that Node would cut is refused', () => {
  expect(() => endpointTarget(`unix:///${'a'.repeat(102)}`)).not.toThrow();
  expect(() => endpointTarget(`unix:///${'a'.repeat(103)}`)).toThrow(RangeError);
});
