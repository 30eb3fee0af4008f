import { AssertionError } from 'node:assert/strict';
import { expect, test } from 'vitest';
import { at, listAt, Manifests, under } from './manifests.ts';

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a', annotations: { 'example.org/role.name': 'x' } },
  spec: { containers: [{ name: 'first' }, { name: 'vault', ports: [{ containerPort: 8200 }] }] },
};

test('a path goes through fields, elements by name and elements by position', () => {
  expect(at(pod, 'spec.containers.name=vault.ports.0.containerPort')).toBe(8200);
  expect(at(pod, 'spec.containers.0.name')).toBe('first');
  expect(at(pod, under('metadata.annotations', 'example.org/role.name'))).toBe('x');
});

test('what is not there is undefined, and an empty list', () => {
  expect(at(pod, 'spec.containers.name=other.ports')).toBeUndefined();
  expect(at(pod, 'spec.volumes.0')).toBeUndefined();
  expect(at(pod, 'constructor')).toBeUndefined();
  expect(listAt(pod, 'spec.volumes')).toEqual([]);
});

test('an object that is not there fails the rule that asks for it', () => {
  const manifests = new Manifests([pod]);
  expect(manifests.get('Pod', 'a')).toBe(pod);
  expect(() => manifests.get('Pod', 'b')).toThrow(AssertionError);
});
