import { dirname, join, normalize } from 'node:path/posix';
import { isCode, type Problem, type Repository, type Rule } from '../repository.ts';

/** Workspace folder -> packages of ours that its code may import. Tests may import anything that is below them or beside them. */
const MAY_IMPORT: Readonly<Record<string, readonly string[] | 'anything'>> = {
  'libraries/security': [],
  'libraries/contracts': [],
  'libraries/dev-authority': ['security/common', 'security/encoding', 'security/spiffe', 'security/testing'],
  'libraries/service-runtime': ['contracts', 'security'],
  'services/orchestrator-dynamic': ['contracts', 'security', 'service-runtime'],
  'services/worker-agents': ['contracts', 'security', 'service-runtime'],
  'services/service-registry': ['contracts', 'security', 'service-runtime'],
  'infrastructure/vault': ['contracts', 'security'],
  'infrastructure/vault-cluster': ['contracts', 'security', 'vault-setup'],
  'tools/embedded-postgres': ['security/common'],
  'tools/real-stack': ['security', 'embedded-postgres'],
  'tools/infra': ['contracts', 'security', 'vault-setup', 'vault-cluster', 'real-stack', 'embedded-postgres'],
  'tools/check': [],
  'apps/cli': 'anything',
};

/** Inside the library: folder -> folders beside it that it may import. */
const LIBRARY_LAYERS: Readonly<Record<string, readonly string[]>> = {
  common: [],
  encoding: ['common'],
  spiffe: ['common', 'encoding'],
  tls: ['common', 'encoding', 'spiffe'],
  vault: ['common', 'encoding'],
  credentials: ['common', 'encoding', 'spiffe', 'vault'],
  cache: ['common'],
  config: ['common', 'encoding', 'spiffe', 'vault'],
  adapters: ['common', 'encoding', 'spiffe', 'tls', 'vault', 'credentials', 'cache'],
  testing: ['common', 'encoding', 'spiffe', 'tls', 'vault', 'credentials', 'cache', 'adapters'],
};

/** What code without I/O has no use for. */
const DOMAIN_FORBIDS =
  /^(node:(fs|net|tls|http|https|http2|child_process|dgram|dns|cluster|worker_threads)(\/.*)?|pg|undici|fastify|@grpc\/.*|@neural-hive\/security\/(tls|vault|credentials|pg|grpc|http|testing)|@neural-hive\/service-runtime)$/;

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g;

export function importsOf(text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function isTest(path: string): boolean {
  return /\.test\.ts$|\/testing\//.test(path);
}

function* problemsOf(file: string, text: string): Generator<string> {
  const workspace = Object.keys(MAY_IMPORT).find((folder) => file.startsWith(`${folder}/`));
  if (workspace === undefined) return;
  const allowed = MAY_IMPORT[workspace] ?? [];
  for (const specifier of importsOf(text)) {
    if (specifier.startsWith('@neural-hive/') && allowed !== 'anything' && !isTest(file)) {
      const target = specifier.slice('@neural-hive/'.length);
      const fits = allowed.some((name) => target === name || target.startsWith(`${name}/`));
      if (!fits) yield `imports ${specifier}, which ${workspace} may not`;
    }
    if (specifier.startsWith('.')) {
      const target = normalize(join(dirname(file), specifier));
      if (!target.startsWith(`${workspace}/`)) yield `imports ${specifier}, a file of another workspace`;
      yield* layerProblems(file, target);
    }
    if (/\/src\/domain\//.test(file) && !isTest(file) && DOMAIN_FORBIDS.test(specifier)) {
      yield `imports ${specifier}: the domain does no I/O`;
    }
  }
}

function* layerProblems(file: string, target: string): Generator<string> {
  const inside = (path: string): string | undefined => /^libraries\/security\/src\/([^/]+)\//.exec(path)?.[1];
  const from = inside(file);
  const to = inside(target);
  if (from === undefined || to === undefined || from === to || isTest(file)) return;
  if (!(LIBRARY_LAYERS[from] ?? []).includes(to)) yield `imports from ${to}/, which ${from}/ may not`;
}

export const importDirection: Rule = {
  name: 'import direction',
  check: (repository: Repository): Problem[] =>
    repository.files
      .filter(isCode)
      .flatMap((file) => [...problemsOf(file, repository.read(file))].map((message) => ({ file, message }))),
};
