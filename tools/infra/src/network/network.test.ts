import { expect, test } from 'vitest';
import type { Manifest } from '../manifests.ts';
import { Network } from './network.ts';

const policy = (spec: Record<string, unknown>, namespace = 'vault'): Manifest => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'p', namespace },
  spec,
});
const app = { namespace: 'apps', labels: { app: 'client' } };
const vault = { namespace: 'vault', labels: { app: 'vault' } };
const other = { namespace: 'vault', labels: { app: 'other' } };
const world = { ip: '203.0.113.7' };
const ofVault = { matchLabels: { app: 'vault' } };
const fromApps = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'apps' } } };

test('a pod that no policy selects is open both ways', () => {
  const network = new Network([
    policy({ podSelector: { matchLabels: { app: 'x' } }, policyTypes: ['Ingress', 'Egress'] }),
  ]);
  expect(network.allows({ from: app, to: vault, port: 8200 })).toBe(true);
  expect(network.allows({ from: vault, to: world, port: 443 })).toBe(true);
});

test('a selected pod takes what a rule lists, peer and port together, and nothing else', () => {
  const network = new Network([
    policy({
      podSelector: ofVault,
      policyTypes: ['Ingress'],
      ingress: [{ from: [fromApps], ports: [{ protocol: 'TCP', port: 8200 }] }],
    }),
  ]);
  expect(network.allows({ from: app, to: vault, port: 8200 })).toBe(true);
  expect(network.allows({ from: app, to: vault, port: 8201 })).toBe(false);
  expect(network.allows({ from: app, to: vault, port: 8200, protocol: 'UDP' })).toBe(false);
  expect(network.allows({ from: other, to: vault, port: 8200 })).toBe(false);
  expect(network.allows({ from: world, to: vault, port: 8200 })).toBe(false);
  expect(network.allows({ from: vault, to: world, port: 443 })).toBe(true);
});

test('both sides have to allow it, and policies add up', () => {
  const egress = policy({ podSelector: {}, policyTypes: ['Egress'], egress: [] }, 'apps');
  const open = policy(
    { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ namespaceSelector: {} }] }] },
    'apps',
  );
  expect(new Network([egress]).allows({ from: app, to: vault, port: 1 })).toBe(false);
  expect(new Network([egress, open]).allows({ from: app, to: vault, port: 1 })).toBe(true);
  expect(new Network([egress, open]).allows({ from: app, to: world, port: 1 })).toBe(false);
});

test('a namespace and a label in one peer are both wanted; in two peers one is enough', () => {
  const labelled = { podSelector: { matchLabels: { app: 'client' } } };
  const both = policy({ podSelector: ofVault, ingress: [{ from: [{ ...fromApps, ...labelled }] }] });
  const either = policy({ podSelector: ofVault, ingress: [{ from: [fromApps, labelled] }] });
  const stranger = { namespace: 'apps', labels: { app: 'stranger' } };
  expect(new Network([both]).allows({ from: app, to: vault, port: 1 })).toBe(true);
  expect(new Network([both]).allows({ from: stranger, to: vault, port: 1 })).toBe(false);
  expect(new Network([either]).allows({ from: stranger, to: vault, port: 1 })).toBe(true);
});

test('without policyTypes egress is open until a rule of it is written', () => {
  const implicit = policy({ podSelector: ofVault, ingress: [] });
  expect(new Network([implicit]).allows({ from: vault, to: world, port: 443 })).toBe(true);
  const written = policy({ podSelector: ofVault, egress: [{ to: [fromApps] }] });
  expect(new Network([written]).allows({ from: vault, to: world, port: 443 })).toBe(false);
});

test('ranges take addresses and never pods, except what they leave out', () => {
  const block = { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.64/26'] } };
  const network = new Network([policy({ podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [block] }] })]);
  expect(network.allows({ from: vault, to: world, port: 443 })).toBe(true);
  expect(network.allows({ from: vault, to: { ip: '203.0.113.70' }, port: 443 })).toBe(false);
  expect(network.allows({ from: vault, to: { ip: '2001:db8::1' }, port: 443 })).toBe(false);
  expect(network.allows({ from: vault, to: other, port: 443 })).toBe(false);
});

test('expressions, port ranges and rules without peers or ports', () => {
  const selector = { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['other'] }] };
  const network = new Network([
    policy({ podSelector: selector, ingress: [{ ports: [{ port: 8000, endPort: 8100 }] }, { from: [fromApps] }] }),
  ]);
  expect(network.allows({ from: world, to: vault, port: 8050 })).toBe(true);
  expect(network.allows({ from: world, to: vault, port: 8200 })).toBe(false);
  expect(network.allows({ from: app, to: vault, port: 8200 })).toBe(true);
  expect(network.allows({ from: world, to: other, port: 8200 })).toBe(true);
});

test('what the solver does not know is an error, not an answer', () => {
  const named = policy({ podSelector: {}, ingress: [{ ports: [{ port: 'api' }] }] });
  expect(() => new Network([named]).allows({ from: app, to: vault, port: 1 })).toThrow('write its number');
  const odd = policy({ podSelector: { matchExpressions: [{ key: 'a', operator: 'Like' }] } });
  expect(() => new Network([odd]).allows({ from: app, to: vault, port: 1 })).toThrow('no operator Like');
});
