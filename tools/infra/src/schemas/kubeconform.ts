import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installTool } from '@neural-hive/real-stack';
import { runCommand } from '../command.ts';
import { InfraError } from '../infra-error.ts';
import type { Manifests } from '../manifests.ts';
import { installCustomResources } from './custom-resources.ts';
import { installKubernetesSchemas } from './kubernetes-schemas.ts';

interface Resource {
  readonly filename: string;
  readonly kind: string;
  readonly name: string;
  readonly status: string;
  readonly msg: string;
}

export interface Verdict {
  readonly valid: number;
  /** What was not judged: no schema was found. It counts as much as what is wrong. */
  readonly skipped: number;
  /** Kind, name and what is wrong. */
  readonly problems: readonly string[];
}

/** Judges objects by the schemas of Kubernetes and of the custom resources, with unknown fields refused. */
export class Kubeconform {
  readonly #program: string;
  readonly #locations: readonly string[];

  private constructor(program: string, locations: readonly string[]) {
    this.#program = program;
    this.#locations = locations;
  }

  static async open(options: { log: (line: string) => void }): Promise<Kubeconform> {
    const program = await installTool('kubeconform', options);
    const kubernetes = await installKubernetesSchemas(options);
    const { schemas } = await installCustomResources(options);
    return new Kubeconform(program, [
      `${kubernetes}/{{ .NormalizedKubernetesVersion }}{{ .StrictSuffix }}/{{ .ResourceKind }}{{ .KindSuffix }}.json`,
      `${schemas}/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json`,
    ]);
  }

  /** One verdict a list of objects, in their order. In one run, because the schemas take longest to read. */
  async judge(lists: readonly Manifests[], version: string): Promise<readonly Verdict[]> {
    const locations = this.#locations.flatMap((location) => ['-schema-location', location]);
    const args = ['-strict', '-verbose', '-output', 'json', '-kubernetes-version', version, '-n', '2', ...locations];
    const folder = mkdtempSync(join(tmpdir(), 'kubeconform-'));
    try {
      const files = lists.map((_, index) => join(folder, `${index}.yaml`));
      for (const [index, { all }] of lists.entries()) {
        const text = all.map((manifest) => `---\n${JSON.stringify(manifest)}\n`).join('');
        writeFileSync(files[index] ?? '', text);
      }
      const { stdout, stderr } = await runCommand(this.#program, [...args, ...files]);
      const report = parseReport(stdout, stderr);
      return files.map((file) => verdictOn(report.filter(({ filename }) => filename === file)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

function verdictOn(report: readonly Resource[]): Verdict {
  const count = (status: string): number => report.filter((one) => one.status === status).length;
  const problems = report
    .filter(({ status }) => status === 'statusInvalid' || status === 'statusError')
    .map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`);
  return { valid: count('statusValid'), skipped: count('statusSkipped'), problems };
}

function parseReport(stdout: string, stderr: string): readonly Resource[] {
  try {
    return (JSON.parse(stdout) as { resources: Resource[] }).resources;
  } catch (cause) {
    throw new InfraError('tool_failed', `kubeconform failed: ${stderr.trim() || stdout.trim()}`, { cause });
  }
}
