import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import type { Server } from './server.ts';

const PREFIX = 'vault.hashicorp.com/';
const SECRET = `${PREFIX}agent-inject-secret-`;

export type Annotations = Readonly<Record<string, string>>;

/** File name and path in Vault of what is injected. */
export function injectedSecrets(annotations: Annotations): readonly (readonly [string, string])[] {
  return Object.entries(annotations)
    .filter(([name]) => name.startsWith(SECRET))
    .map(([name, path]) => [name.slice(SECRET.length), path] as const);
}

/**
 * Runs the agent that the injector would put into a pod with these annotations, with the configuration that it would
 * write, until every template is rendered. Returns what is in each file.
 */
export async function renderByAgent(options: {
  readonly program: string;
  readonly server: Server;
  readonly folder: string;
  readonly annotations: Annotations;
  /** Of the pod's service account. */
  readonly token: string;
}): Promise<Readonly<Record<string, unknown>>> {
  const { program, server, folder, annotations, token } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, 'service-account-token'), token, { mode: 0o600 });
  const secrets = injectedSecrets(annotations);
  const method = {
    type: 'kubernetes',
    mount_path: annotations[`${PREFIX}auth-path`] ?? 'auth/kubernetes',
    config: { role: annotations[`${PREFIX}role`], token_path: join(folder, 'service-account-token') },
  };
  const configuration = {
    exit_after_auth: true,
    vault: { address: server.address, ca_cert: join(server.place.folder, 'tls', 'ca.crt') },
    auto_auth: { method: [method], sink: [{ type: 'file', config: { path: join(folder, 'agent-token') } }] },
    template: secrets.map(([file]) => ({
      destination: join(folder, file),
      contents: annotations[`${PREFIX}agent-inject-template-${file}`],
      error_on_missing_key: true,
    })),
    template_config: { exit_on_retry_failure: true },
  };
  const path = join(folder, 'agent.json');
  writeFileSync(path, JSON.stringify(configuration), { mode: 0o600 });
  const env = { PATH: '/usr/bin:/bin', HOME: folder };
  const { code, stdout, stderr } = await runCommand(program, ['agent', `-config=${path}`], { env });
  if (code !== 0) throw new Error(`the agent ended with ${code}: ${`${stdout}\n${stderr}`.trim().slice(-2_000)}`);
  return Object.fromEntries(secrets.map(([file]) => [file, JSON.parse(readFileSync(join(folder, file), 'utf8'))]));
}
