import { expect, test } from 'vitest';
import { Manifests } from './manifests.ts';
import { changed, isChange, rewritten, together, withManifest, without, withoutManifest } from './mutation.ts';

const manifests = new Manifests([
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'a' },
    spec: { ports: [{ name: 'x', port: 1 }, { name: 'y' }] },
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { 'a.hcl': 'one two' } },
]);

test('a field is taken away, changed or made, and the original stays as it was', () => {
  const before = structuredClone(manifests.all);
  expect(without('Service', 'a', 'spec.ports.name=x.port').apply(manifests).at('Service', 'a', 'spec.ports.0')).toEqual(
    {
      name: 'x',
    },
  );
  const more = changed('Service', 'a', 'spec.ports.name=x.port', (old: unknown) => Number(old) + 1).apply(manifests);
  expect(more.at('Service', 'a', 'spec.ports.0.port')).toBe(2);
  expect(changed('Service', 'a', 'spec.type.deep', 'z').apply(manifests).at('Service', 'a', 'spec.type')).toEqual({
    deep: 'z',
  });
  expect(manifests.all).toEqual(before);
});

test('an element of a list is taken away whole', () => {
  const fewer = without('Service', 'a', 'spec.ports.name=x').apply(manifests);
  expect(fewer.at('Service', 'a', 'spec.ports')).toEqual([{ name: 'y' }]);
});

test('an object is taken away or added, and a text rewritten', () => {
  expect(withoutManifest('Service', 'a').apply(manifests).all).toHaveLength(1);
  expect(
    withManifest({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } })
      .apply(manifests)
      .of('Pod'),
  ).toHaveLength(1);
  const text = rewritten('ConfigMap', 'a', ['data', 'a.hcl'], /two/, 'three').apply(manifests);
  expect(text.at('ConfigMap', 'a', ['data', 'a.hcl'])).toBe('one three');
});

test('a mutation of something that is not there is no change', () => {
  const nothing = together(
    'nothing at all',
    without('Service', 'a', 'spec.ports.name=z.port'),
    without('Service', 'a', 'spec.selector.app'),
    without('Service', 'b', 'spec'),
    rewritten('ConfigMap', 'a', ['data', 'a.hcl'], /four/, ''),
  );
  expect(isChange(manifests, nothing.apply(manifests))).toBe(false);
});
