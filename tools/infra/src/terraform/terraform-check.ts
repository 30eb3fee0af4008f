import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installTool } from '@neural-hive/real-stack';
import type { Check, CheckContext } from '../check.ts';
import { runCommand } from '../command.ts';
import { MODULES, moduleOutline, withTables } from './module-docs.ts';
import { CODE_MUTATIONS } from './mutations.ts';
import { Workspace } from './workspace.ts';

const TESTED = ['.', 'modules/vault-ha', 'modules/k8s-cluster'] as const;
const VAULT = 'modules/vault-ha';

/** Files with what must not be lost. Where a plan refuses to destroy something, it looks no further at what that stands on. */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  'secrets.tf': [
    'aws_secretsmanager_secret.this["root-token"]',
    'aws_secretsmanager_secret.this["unseal-keys"]',
    'aws_kms_key.unseal',
  ],
  'kms.tf': ['aws_kms_key.storage'],
};

const firstOf = ([first, ...more]: readonly string[]): string =>
  first === undefined ? 'it ran nothing' : `${first}${more.length === 0 ? '' : `; and ${more.length} more`}`;

const lastLines = (output: string): string => output.trim().split('\n').slice(-12).join('\n');

async function initialise(workspace: Workspace, { report }: CheckContext): Promise<void> {
  const format = await workspace.run(['fmt', '-check', '-recursive', '-no-color']);
  if (format.code === 0) report.passed('terraform fmt');
  else report.failed('terraform fmt', `not formatted: ${format.output.trim().split('\n').join(', ')}`);
  for (const module of MODULES) {
    for (const args of [
      ['init', '-no-color'],
      ['validate', '-no-color'],
    ]) {
      const { code, output } = await workspace.run(args, module);
      const point = `terraform ${args[0]} of ${module}`;
      if (code === 0) report.passed(point);
      else report.failed(point, lastLines(output));
    }
  }
}

/** All rules of tflint, and one that must be broken for it to say so. */
async function lint(workspace: Workspace, { report, progress }: CheckContext): Promise<void> {
  const program = await installTool('tflint', { log: progress });
  const config = join(workspace.folder, '.tflint.hcl');
  const tflint = (module: string, ...args: readonly string[]) =>
    runCommand(program, ['--no-color', `--config=${config}`, `--chdir=${join(workspace.folder, module)}`, ...args]);
  for (const module of MODULES) {
    // An example is one file, to be read from top to bottom.
    const args = module.startsWith('examples/') ? ['--disable-rule=terraform_standard_module_structure'] : [];
    const { code, stdout, stderr } = await tflint(module, ...args);
    if (code === 0) report.passed(`tflint of ${module}`);
    else report.failed(`tflint of ${module}`, lastLines(`${stdout}${stderr}`));
  }
  workspace.rewrite(join(VAULT, 'main.tf'), (text) => `${text}\nvariable "unused" {}\n`);
  const { code } = await tflint(VAULT);
  workspace.rewrite(join(VAULT, 'main.tf'), (text) => text.replace('\nvariable "unused" {}\n', ''));
  if (code !== 0) report.passed('tflint, mutated');
  else report.failed('tflint, mutated', 'it did not notice a variable without type and description that nothing uses');
}

async function test(workspace: Workspace, { report }: CheckContext): Promise<void> {
  for (const module of TESTED) {
    const { runs, problems } = await workspace.test(module);
    for (const { name, passed } of runs) {
      if (passed) report.passed(`${module} ${name}`);
      else report.failed(`${module} ${name}`, firstOf(problems));
    }
    if (runs.length === 0) report.failed(`terraform test of ${module}`, firstOf(problems));
  }
}

/** What a test that judges says; anything else is code that fell over, which is not noticing. */
const NOTICED = /^(Test assertion failed|Missing expected failure):/;

/** Every mutation must make the tests of its module fail, or the code invalid. */
async function mutate(workspace: Workspace, { report }: CheckContext): Promise<void> {
  for (const { what, module, file, from, to, test: testFile } of CODE_MUTATIONS) {
    const point = `mutated: ${what}`;
    const path = join(module, file);
    const original = readFileSync(join(workspace.folder, path), 'utf8');
    if (!original.includes(from)) {
      report.failed(point, `${path} has no ${from}`);
      continue;
    }
    workspace.rewrite(path, (text) => text.replace(from, () => to));
    const noticed =
      testFile === undefined
        ? (await workspace.run(['validate', '-no-color'], module)).code !== 0
        : (await workspace.test(module, { file: testFile })).problems.some((problem) => NOTICED.test(problem));
    workspace.rewrite(path, () => original);
    if (noticed) report.passed(point);
    else report.failed(point, 'nothing noticed it');
  }
}

/** Applied twice, the second plan does nothing; taken down, what must not be lost is kept. */
async function apply(workspace: Workspace, { report }: CheckContext): Promise<void> {
  const file = 'tests/applied.tftest.hcl';
  const path = join(VAULT, file);
  const plan = readFileSync(join(workspace.folder, VAULT, 'tests/plan.tftest.hcl'), 'utf8');
  const given = (plan.split(/^run /m)[0] ?? '').replace('override_during = plan', '');
  workspace.rewrite(path, () => `${given}run "first" {}\n\nrun "second" {\n  command = plan\n}\n`);

  for (const [source, addresses] of Object.entries(KEPT)) {
    const { problems } = await workspace.test(VAULT, { file });
    for (const address of addresses) {
      const refused = problems.some((problem) => problem.includes(`${address} has lifecycle.prevent_destroy set`));
      if (refused) report.passed(`${address} is not destroyed`);
      else report.failed(`${address} is not destroyed`, 'taking everything down took it too');
    }
    workspace.rewrite(join(VAULT, source), (text) => text.replaceAll(/prevent_destroy = true/g, ''));
  }
  const twice = await workspace.test(VAULT, { file, verbose: true });
  const changes = twice.plans.get(`${file}: second`) ?? [];
  const changing = changes.filter(({ actions }) => actions.some((action) => action !== 'no-op' && action !== 'read'));
  if (twice.runs.length !== 2 || changes.length === 0) report.failed('applied twice', firstOf(twice.problems));
  else if (changing.length > 0) {
    report.failed('applied twice', `it would change ${changing.map(({ address }) => address).join(', ')}`);
  } else report.passed('applied twice');
}

function documented({ root, report }: CheckContext): void {
  const terraform = join(root, 'infrastructure', 'terraform');
  for (const module of MODULES) {
    const readme = readFileSync(join(terraform, module, 'README.md'), 'utf8');
    const outline = moduleOutline(join(terraform, module));
    const point = `README of ${module}`;
    for (const { name, description } of [...outline.variables, ...outline.outputs]) {
      if (description === '') report.failed(point, `${name} has no description`);
    }
    if (withTables(readme, outline) === readme) report.passed(point);
    else report.failed(point, 'its tables are old: run node tools/infra/dist/terraform/write-docs.js');
  }
}

export const terraformCheck: Check = {
  name: 'terraform',
  what: 'formats, validates and tests the Terraform modules offline, and changes them to see that tests notice',
  async run(context) {
    documented(context);
    using workspace = await Workspace.open(join(context.root, 'infrastructure', 'terraform'), context.progress);
    await initialise(workspace, context);
    await lint(workspace, context);
    await test(workspace, context);
    await mutate(workspace, context);
    await apply(workspace, context);
  },
};
