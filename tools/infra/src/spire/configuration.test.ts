import { expect, test } from 'vitest';
import { Manifests } from '../manifests.ts';
import { configuration, reconfigured } from './configuration.ts';

const holding = (text: string): Manifests =>
  new Manifests([
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'spire-agent' }, data: { 'agent.conf': text } },
  ]);

test('a configuration is the JSON of its ConfigMap, and anything else is no configuration', () => {
  expect(configuration(holding('{"agent":{"data_dir":"/d"}}'), 'spire-agent')).toEqual({ agent: { data_dir: '/d' } });
  expect(() => configuration(holding('agent {}'), 'spire-agent')).toThrow('ConfigMap spire-agent');
  expect(() => configuration(new Manifests([]), 'spire-agent')).toThrow('there is no ConfigMap "spire-agent"');
});

test('a mutation changes one field of the JSON or takes it away, and leaves the rest', () => {
  const before = holding('{"agent":{"data_dir":"/d","name":"a"},"plugins":{}}');
  const changed = reconfigured('spire-agent', 'agent.data_dir', '/e').apply(before);
  expect(configuration(changed, 'spire-agent')).toEqual({ agent: { data_dir: '/e', name: 'a' }, plugins: {} });
  const without = reconfigured('spire-agent', 'agent.data_dir', undefined).apply(before);
  expect(configuration(without, 'spire-agent')).toEqual({ agent: { name: 'a' }, plugins: {} });
  expect(configuration(before, 'spire-agent')).toMatchObject({ agent: { data_dir: '/d' } });
});
