import { expect, test } from 'vitest';
import { withTables } from './module-docs.ts';
import { outlineOf } from './module-outline.ts';

const CODE = `variable "name" {
  description = "What it is called \\"here\\"; a|b."
  type        = string

  validation {
    condition     = var.name != ""
    error_message = "name must not be empty."
  }
}

variable "days" {
  description = "How long."
  type        = number
  default     = 30
}

resource "aws_kms_key" "one" {
  description = "not a variable's"
}

data "aws_partition" "current" {}

output "arn" {
  description = "Where it is."
  value       = aws_kms_key.one.arn
}
`;

const README = `# A

<!-- Written by \`node tools/infra/dist/terraform/write-docs.js\`; what stands between these lines is overwritten. -->
old
<!-- End of what is written. -->

after
`;

test('variables, outputs and resources are read from formatted code', () => {
  expect(outlineOf([CODE])).toEqual({
    variables: [
      { name: 'name', description: 'What it is called "here"; a|b.', type: 'string' },
      { name: 'days', description: 'How long.', type: 'number', default: '30' },
    ],
    outputs: [{ name: 'arn', description: 'Where it is.' }],
    resources: ['aws_kms_key', 'data.aws_partition'],
  });
});

test('the tables replace what stood between their lines, and nothing else', () => {
  const written = withTables(README, outlineOf([CODE]));
  expect(written).toContain('| `name` | `string` | required | What it is called "here"; a\\|b. |');
  expect(written).toContain('| `days` | `number` | `30` | How long. |');
  expect(written).toContain('| `arn` | Where it is. |');
  expect(written).not.toContain('old');
  expect(written.startsWith('# A\n')).toBe(true);
  expect(written.endsWith('\n\nafter\n')).toBe(true);
  expect(withTables(written, outlineOf([CODE]))).toBe(written);
});

test('a README without a place for them is an error', () => {
  expect(() => withTables('# A\n', outlineOf([CODE]))).toThrow(/needs the lines/);
});
