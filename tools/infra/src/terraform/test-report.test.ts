import { expect, test } from 'vitest';
import { documentsOf, permissionsOf, text } from './planned-iam.ts';
import { parseTestReport } from './test-report.ts';

const event = (fields: object): string =>
  JSON.stringify({ '@testfile': 'tests/a.tftest.hcl', '@testrun': 'one', ...fields });

test('runs, complaints and plans are read from the lines of terraform', () => {
  const { runs, problems, plans } = parseTestReport(
    [
      'Warning: not a line of JSON',
      event({ test_run: { progress: 'starting' } }),
      event({ test_run: { progress: 'complete', status: 'pass' } }),
      event({ diagnostic: { severity: 'warning', summary: 'deprecated' } }),
      event({ diagnostic: { severity: 'error', summary: 'Test assertion failed', detail: 'x' } }),
      event({
        test_plan: {
          resource_changes: [
            { address: 'aws_kms_key.a', type: 'aws_kms_key', change: { actions: ['create'], after: { arn: 'x' } } },
          ],
        },
      }),
    ].join('\n'),
  );
  expect(runs).toEqual([{ name: 'tests/a.tftest.hcl: one', passed: true }]);
  expect(problems).toEqual(['Test assertion failed: x']);
  expect(plans.get('tests/a.tftest.hcl: one')).toEqual([
    { address: 'aws_kms_key.a', type: 'aws_kms_key', actions: ['create'], values: { arn: 'x' } },
  ]);
});

test('the permissions of a service account are those of the policies attached to its role', () => {
  const policy = (action: string): string => JSON.stringify({ Statement: [{ Effect: 'Allow', Action: action }] });
  const resource = (type: string, key: string, values: object) => ({
    ...{ address: `${type}.this["${key}"]`, type, actions: ['create'], values: { ...values } },
  });
  const plan = [
    resource('aws_iam_role', 'vault-server', { name: 'nh-vault-server', assume_role_policy: policy('sts:X') }),
    resource('aws_iam_policy', 'unseal', { policy: policy('kms:Decrypt') }),
    resource('aws_iam_policy', 'other', { policy: policy('s3:PutObject') }),
    resource('aws_iam_role_policy_attachment', 'unseal', { role: 'nh-vault-server' }),
    resource('aws_iam_role_policy_attachment', 'other', { role: 'nh-vault-init' }),
  ];
  expect(permissionsOf('vault-server', plan)).toEqual([{ Effect: 'Allow', Action: 'kms:Decrypt' }]);
  expect(documentsOf(plan).map(({ kind }) => kind)).toEqual(['trust', 'identity', 'identity']);
  expect(() => text(plan, 'aws_iam_role.this["x"]', 'name')).toThrow(RangeError);
});
