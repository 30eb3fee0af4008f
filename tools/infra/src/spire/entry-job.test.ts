import { expect, test } from 'vitest';
import { Manifests } from '../manifests.ts';
import { entryCommands, optionsOf } from './entry-job.ts';
import { shownEntries, wantedEntries } from './entry-list.ts';

const PROGRAM = '/opt/spire/bin/spire-server';
const ENTRY = [
  '-entryID',
  'c.n.a',
  '-parentID',
  'spiffe://t/p',
  '-spiffeID',
  'spiffe://t/a',
  '-selector',
  'k8s:ns:n',
  '-selector',
  'k8s:sa:a',
];

function jobRunning(...commands: readonly (readonly string[])[]): Manifests {
  const containers = commands.map((command) => ({ args: ['exec', 'spire-server-0', '--', ...command] }));
  const spec = {
    template: {
      spec: { initContainers: [{ args: ['wait'] }, ...containers.slice(0, -1)], containers: containers.slice(-1) },
    },
  };
  return new Manifests([{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'spire-entries-0' }, spec }]);
}

test('the commands are what the containers run in the server’s pod, in their order', () => {
  const create = ['entry', 'create', '-output', 'json', ...ENTRY];
  const update = ['entry', 'update', ...ENTRY];
  const manifests = jobRunning([PROGRAM, ...create], [PROGRAM, ...update]);
  expect(entryCommands(manifests)).toEqual([create, update]);
  expect(() => entryCommands(jobRunning(['sh', '-c', 'true']))).toThrow('it runs sh');
  expect(optionsOf(update).many.get('-selector')).toEqual(['k8s:ns:n', 'k8s:sa:a']);
});

test('what is asked for and what a server shows are compared in one form', () => {
  const wanted = wantedEntries(jobRunning([PROGRAM, 'entry', 'update', ...ENTRY]));
  const shown = {
    id: 'c.n.a',
    spiffe_id: { trust_domain: 't', path: '/a' },
    parent_id: { trust_domain: 't', path: '/p' },
    selectors: [
      { type: 'k8s', value: 'sa:a' },
      { type: 'k8s', value: 'ns:n' },
    ],
    dns_names: [],
    x509_svid_ttl: 0,
  };
  expect(shownEntries(JSON.stringify({ entries: [shown] }))).toEqual(wanted);
});
