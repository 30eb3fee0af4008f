import { expect, test } from 'vitest';
import type { Report } from '../check.ts';
import { Manifests } from '../manifests.ts';
import { judgeAccess } from './access-check.ts';
import { type AccessQuestion, accessTable, parseAccessTable, tableDifferences } from './access-table.ts';

const policy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'server', namespace: 'vault' },
  spec: {
    podSelector: { matchLabels: { app: 'server' } },
    policyTypes: ['Ingress'],
    ingress: [
      {
        from: [{ podSelector: { matchLabels: { app: 'job' } } }],
        ports: [{ protocol: 'TCP', port: 8200 }],
      },
    ],
  },
};

const pod = (app: string) => ({ namespace: 'vault', labels: { app } });
const question: AccessQuestion = {
  callers: { job: pod('job'), stranger: pod('stranger'), elsewhere: pod('elsewhere') },
  called: {
    server: { place: pod('server'), ports: ['8200', '53/UDP'] },
    stranger: { place: pod('stranger'), ports: ['1'] },
  },
  ours: ['job', 'server'],
};

const TABLE = `# from	to	port	allowed
job	server	8200	yes
job	server	53/UDP	no
job	stranger	1	yes
stranger	server	8200	no
stranger	server	53/UDP	no
elsewhere	server	8200	no
elsewhere	server	53/UDP	no
`;

function judged(manifests: Manifests, table: string): { passed: number; failures: readonly string[] } {
  const failures: string[] = [];
  let passed = 0;
  const report: Report = {
    passed: () => {
      passed += 1;
    },
    failed: (_, why) => failures.push(why),
    skipped: () => {},
  };
  judgeAccess('t', manifests, { question, table: parseAccessTable(table) }, report);
  return { passed, failures };
}

test('every caller, called and port has a row, but for what two strangers say to each other', () => {
  expect(accessTable([policy], question)).toEqual(parseAccessTable(TABLE));
});

test('a table that agrees passes a row each, and the one rule is shown to be needed', () => {
  expect(judged(new Manifests([policy]), TABLE)).toEqual({ passed: 9, failures: [] });
});

test('a row too many, a row too few and another answer are told', () => {
  expect(tableDifferences(['a\tb\t1\tyes'], ['a\tb\t1\tno'])).toEqual([
    'the table says and the policies do not: a b 1 yes',
    'the policies say and the table does not: a b 1 no',
  ]);
  expect(judged(new Manifests([policy]), TABLE.replace('8200\tyes', '8200\tno')).failures).toHaveLength(2);
});

test('a peer that changes no answer is told: it is not needed, or nobody asked', () => {
  const idle = { podSelector: { matchLabels: { app: 'nobody' } } };
  const [rule] = policy.spec.ingress;
  const wider = { ...policy, spec: { ...policy.spec, ingress: [{ ...rule, from: [...(rule?.from ?? []), idle] }] } };
  expect(judged(new Manifests([wider]), TABLE).failures).toEqual([
    expect.stringContaining('nothing is different with NetworkPolicy server without spec.ingress.0.from.1'),
  ]);
});
