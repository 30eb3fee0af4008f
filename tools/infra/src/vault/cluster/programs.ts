import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, runCommand } from '../../command.ts';
import { containerArguments, localised } from './loopback.ts';
import type { Server } from './server.ts';
import type { VaultCluster } from './vault-cluster.ts';

export interface ProgramOptions {
  readonly root: string;
  readonly cluster: VaultCluster;
  /** In the pod of which server, or beside it. */
  readonly server: Server;
  readonly container: unknown;
  /** What the identity webhook of EKS would add. */
  readonly env: Readonly<Record<string, string>>;
  /** Changes of the arguments: a side-car is not waited for as long as in production. */
  readonly rewrite?: (args: readonly string[]) => readonly string[];
}

function commandOf({ root, cluster, server, container, env, rewrite = (args) => args }: ProgramOptions) {
  const rendered = containerArguments(container, server.place, cluster.places);
  const program = join(root, 'infrastructure', 'vault-cluster', 'dist', 'main.js');
  return {
    args: [program, ...rewrite(rendered.args)],
    env: { PATH: process.env.PATH ?? '', HOME: server.place.folder, ...rendered.env, ...env },
  };
}

/** Runs a program of the operations image with its rendered arguments and environment to its end. */
export function runProgram(options: ProgramOptions): Promise<Outcome> {
  const { args, env } = commandOf(options);
  return runCommand(process.execPath, args, { env });
}

/** Runs a side-car until the work is done, then ends it as the kubelet does. Returns what it said. */
export async function withSideCar(options: ProgramOptions, work: () => Promise<void>): Promise<string> {
  const { args, env } = commandOf(options);
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    await work();
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}; it said: ${said.trim()}`);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
  return said;
}

/** The files that the chart mounts into its Jobs, beside a server. */
export function writeOperations(
  cluster: VaultCluster,
  server: Server,
  files: { readonly settings: string; readonly parameters: unknown; readonly token: string },
): void {
  const write = (name: string, content: string): void =>
    writeFileSync(join(server.place.folder, 'operations', name), content, { mode: 0o600 });
  write('settings.json', localised(files.settings, server.place, cluster.places));
  write('parameters.json', JSON.stringify(files.parameters));
  write('token', files.token);
}

/** Runs the servers' own program with a container's rendered arguments, as the helm test does. */
export function runServerProgram(
  { cluster, program }: { readonly cluster: VaultCluster; readonly program: string },
  container: unknown,
): Promise<Outcome> {
  const { args, env } = containerArguments(container, cluster.first.place, cluster.places);
  return runCommand(program, args, { env: { PATH: '/usr/bin:/bin', ...env } });
}
