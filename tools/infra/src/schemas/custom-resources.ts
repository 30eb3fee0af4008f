import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, installed } from '@neural-hive/real-stack';
import { parseAllDocuments } from 'yaml';
import { runToEnd } from '../command.ts';
import { InfraError } from '../infra-error.ts';
import { at, listAt } from '../manifests.ts';

/** A Go module whose files define custom resources. Only read, nothing of it is built. */
interface DefinitionSource {
  readonly module: string;
  readonly version: string;
  /** As in go.sum. */
  readonly sum: string;
  readonly files: readonly string[];
}

const CERT_MANAGER = (name: string): string => `deploy/crds/cert-manager.io_${name}.yaml`;
const PROMETHEUS = (name: string): string => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`;

const SOURCES: readonly DefinitionSource[] = [
  {
    module: 'github.com/cert-manager/cert-manager',
    version: 'v1.21.2',
    sum: 'h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=',
    files: ['certificates', 'issuers', 'clusterissuers'].map(CERT_MANAGER),
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.85.0',
    sum: 'h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=',
    files: ['servicemonitors', 'podmonitors', 'prometheusrules'].map(PROMETHEUS),
  },
];

export interface CustomResources {
  /** The definitions themselves, for an API server. */
  readonly definitions: string;
  /** Their schemas, `<group>/<kind>_<version>.json`, as kubeconform reads them. */
  readonly schemas: string;
}

/** What cert-manager and the Prometheus operator define, at pinned versions. */
export async function installCustomResources(options: {
  log: (line: string) => void;
  cache?: string;
}): Promise<CustomResources> {
  const { log, cache = cacheFolder() } = options;
  const what = 'Installing the custom resources of cert-manager and the Prometheus operator';
  const pins = SOURCES.map(({ module, version }) => `${module.split('/').at(-1)}-${version}`).join('-');
  const folder = await installed({
    what,
    folder: join(cache, `custom-resources-${pins}`),
    log,
    announcement: `${what} as Go modules, once…`,
    async fill(unfinished) {
      for (const name of ['definitions', 'schemas']) mkdirSync(join(unfinished, name));
      for (const source of SOURCES) {
        const module = await moduleFolder(source, unfinished, what);
        for (const file of source.files) keep(readFileSync(join(module, file), 'utf8'), unfinished);
      }
    },
  });
  return { definitions: join(folder, 'definitions'), schemas: join(folder, 'schemas') };
}

/** Where Go keeps the module, after it has been fetched and compared with the pinned sum. */
async function moduleFolder({ module, version, sum }: DefinitionSource, folder: string, what: string): Promise<string> {
  const missing = 'install Go (its client fetches the modules with the definitions)';
  const answer = await runToEnd('go', ['mod', 'download', '-json', `${module}@${version}`], { what, missing, folder });
  const { Dir, Sum } = JSON.parse(answer) as { Dir: string; Sum: string };
  if (Sum !== sum) throw new InfraError('tool_failed', `${what} failed: ${module}@${version} is ${Sum}, not ${sum}`);
  return Dir;
}

function keep(text: string, folder: string): void {
  for (const document of parseAllDocuments(text)) {
    const definition: unknown = document.toJS();
    const name = at(definition, 'metadata.name');
    if (at(definition, 'kind') !== 'CustomResourceDefinition') continue;
    writeFileSync(join(folder, 'definitions', `${String(name)}.json`), JSON.stringify(definition));
    const group = join(folder, 'schemas', String(at(definition, 'spec.group')));
    mkdirSync(group, { recursive: true });
    const kind = String(at(definition, 'spec.names.kind')).toLowerCase();
    for (const version of listAt(definition, 'spec.versions')) {
      const schema = strictSchema(at(version, 'schema.openAPIV3Schema'));
      writeFileSync(join(group, `${kind}_${String(at(version, 'name'))}.json`), JSON.stringify(schema));
    }
  }
}

/** As an API server judges with strict validation: a field that the schema does not have is refused. */
export function strictSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strictSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const fields = schema as Readonly<Record<string, unknown>>;
  const inner = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, strictSchema(value)]));
  if (fields['x-kubernetes-int-or-string'] === true) return { type: ['integer', 'string'] };
  const closed =
    fields.type === 'object' &&
    typeof fields.properties === 'object' &&
    fields.additionalProperties === undefined &&
    fields['x-kubernetes-preserve-unknown-fields'] !== true;
  return closed ? { ...inner, additionalProperties: false } : inner;
}
