import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runCommand } from '../command.ts';
import { InfraError } from '../infra-error.ts';
import { schemaProvider } from './schema-provider.ts';
import { parseTestReport, type TestReport } from './test-report.ts';

export interface Outcome {
  readonly code: number | null;
  /** Standard output, and standard error behind it. */
  readonly output: string;
}

const MISSING = 'terraform is missing: set TERRAFORM_BINARY to a terraform of 1.11 or newer, or put one on PATH';

/** `TERRAFORM_BINARY`, else the one on PATH. @throws InfraError `tool_missing` */
export function findTerraform(env: NodeJS.ProcessEnv = process.env): string {
  const named = env.TERRAFORM_BINARY;
  const places = (env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'terraform'));
  const program = named !== undefined && named !== '' ? named : places.find((place) => existsSync(place));
  if (program === undefined || !existsSync(program)) throw new InfraError('tool_missing', MISSING);
  return program;
}

/**
 * A copy of `infrastructure/terraform` that Terraform may write into. Its provider knows the schema of AWS and nothing
 * else: no credentials, no requests.
 */
export class Workspace {
  readonly folder: string;
  readonly #program: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, program: string, configuration: string) {
    this.folder = folder;
    this.#program = program;
    // Nothing of the caller's: its AWS credentials and its plugin folders would be used.
    this.#env = {
      PATH: process.env.PATH,
      HOME: folder,
      TF_CLI_CONFIG_FILE: configuration,
      CHECKPOINT_DISABLE: '1',
      TF_IN_AUTOMATION: '1',
    };
  }

  static async open(source: string, log: (line: string) => void): Promise<Workspace> {
    const program = findTerraform();
    const folder = mkdtempSync(join(tmpdir(), 'terraform-'));
    try {
      cpSync(source, folder, { recursive: true, filter: (path) => !path.includes('/.terraform') });
      return new Workspace(folder, program, await schemaProvider(folder, log));
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async run(args: readonly string[], module = '.'): Promise<Outcome> {
    const folder = join(this.folder, module);
    const { code, stdout, stderr } = await runCommand(this.#program, args, { folder, env: this.#env });
    return { code, output: `${stdout}${stderr}` };
  }

  /** `terraform test`, of one file where it is named. */
  async test(
    module: string,
    options: { readonly file?: string; readonly verbose?: boolean } = {},
  ): Promise<TestReport> {
    const { file, verbose = false } = options;
    const filter = file === undefined ? [] : [`-filter=${file}`];
    const { output } = await this.run(['test', '-json', ...(verbose ? ['-verbose'] : []), ...filter], module);
    return parseTestReport(output);
  }

  /** Changes a file of the copy. */
  rewrite(path: string, change: (text: string) => string): void {
    const file = join(this.folder, path);
    writeFileSync(file, change(existsSync(file) ? readFileSync(file, 'utf8') : ''));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
