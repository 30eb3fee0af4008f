import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildGo } from '@neural-hive/real-stack';

/** Of the provider whose schema is in `aws-schema/schema.json`. */
export const SCHEMA_VERSION = '6.25.0';

const MODULE = resolve(import.meta.dirname, '..', '..', 'aws-schema');
const ADDRESS = ['registry.terraform.io', 'hashicorp', 'aws'];
const PROGRAM = 'terraform-provider-aws';

/**
 * Builds the provider that only knows AWS's schema, lays it out in `folder` as Terraform looks for providers, and returns
 * the path of a CLI configuration that makes Terraform look there and nowhere else.
 */
export async function schemaProvider(folder: string, log: (line: string) => void): Promise<string> {
  const built = await buildGo(
    {
      what: "the provider of AWS's schema",
      name: `aws-schema-${SCHEMA_VERSION}`,
      module: MODULE,
      sources: ['main.go', 'schema.json'],
      programs: { '.': PROGRAM },
    },
    { log },
  );
  const mirror = join(folder, 'mirror');
  const system = `${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const place = join(mirror, ...ADDRESS, SCHEMA_VERSION, system);
  rmSync(mirror, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  symlinkSync(join(built, PROGRAM), join(place, `${PROGRAM}_v${SCHEMA_VERSION}`));
  const configuration = join(folder, 'terraform.rc');
  writeFileSync(
    configuration,
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }\n}\n`,
  );
  return configuration;
}
