import { expect, test } from 'vitest';
import { Manifests } from '../manifests.ts';
import { type Endpoint, isAllowed } from './policy-solver.ts';

const web: Endpoint = { name: 'web', namespace: 'front', labels: { app: 'web' } };
const api: Endpoint = { name: 'api', namespace: 'back', labels: { app: 'api' } };
const node: Endpoint = { name: 'node', address: '10.0.1.2' };

function policies(...specs: readonly unknown[]): Manifests {
  return new Manifests(
    specs.map((spec, index) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `policy-${index}`, namespace: 'back' },
      spec,
    })),
  );
}

const fromWeb = {
  podSelector: { matchLabels: { app: 'api' } },
  policyTypes: ['Ingress'],
  ingress: [
    {
      from: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'front' } },
          podSelector: { matchLabels: { app: 'web' } },
        },
      ],
      ports: [{ protocol: 'TCP', port: 80 }],
    },
  ],
};

test('a pod that no policy selects is open, and one that is selected needs a rule for the peer and the port', () => {
  expect(isAllowed(policies(), web, api, { port: 80 })).toBe(true);
  expect(isAllowed(policies(fromWeb), web, api, { port: 80 })).toBe(true);
  expect(isAllowed(policies(fromWeb), web, api, { port: 81 })).toBe(false);
  expect(isAllowed(policies(fromWeb), web, api, { port: 80, protocol: 'UDP' })).toBe(false);
  expect(isAllowed(policies(fromWeb), { ...web, namespace: 'other' }, api, { port: 80 })).toBe(false);
  expect(isAllowed(policies(fromWeb), { ...web, labels: {} }, api, { port: 80 })).toBe(false);
  expect(isAllowed(policies(fromWeb), node, api, { port: 80 })).toBe(false);
});

test('a pod selector alone means the policy’s own namespace', () => {
  const near = { ...fromWeb, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }] };
  expect(isAllowed(policies(near), { ...web, namespace: 'back' }, api, { port: 80 })).toBe(true);
  expect(isAllowed(policies(near), web, api, { port: 80 })).toBe(false);
});

test('an address is matched by its range, and a pod’s policy for going out counts as well', () => {
  const range = { ...fromWeb, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/16' } }] }] };
  expect(isAllowed(policies(range), node, api, { port: 1 })).toBe(true);
  expect(isAllowed(policies(range), { ...node, address: '10.1.0.1' }, api, { port: 1 })).toBe(false);
  const closed = { podSelector: {}, policyTypes: ['Egress'] };
  expect(isAllowed(policies(closed), api, node, { port: 1 })).toBe(false);
  expect(isAllowed(policies(closed), node, api, { port: 1 })).toBe(true);
});
