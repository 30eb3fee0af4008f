import { chmodSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIENCES } from '@neural-hive/contracts';
import { JwtSource } from '@neural-hive/security/spiffe';
import type { TestProject } from 'vitest/node';
import { makeFolder } from '../platform/home.ts';
import { REPOSITORY, RunningHive, scratchFolder } from './hive-process.ts';

/** The platform that all files of this folder share, where they do not need one of their own. */
export interface SharedPlatform {
  readonly home: string;
  readonly supervisor: number;
  /** What it printed until it was up. */
  readonly output: string;
  readonly portBase: number;
  /** Projects that BUILD and TEST may name; `release-app` is there. */
  readonly projects: string;
  /** Tokens of the operator, fetched at the start, so that a test need not wait long until they have expired. */
  readonly earlyTokens: { readonly orchestrator: string; readonly registry: string };
}

declare module 'vitest' {
  interface ProvidedContext {
    platform: SharedPlatform;
  }
}

let platform: RunningHive | undefined;
let scratch: ReturnType<typeof scratchFolder> | undefined;

/** A folder with the projects of the examples, to which tests add their own. */
export function projectsFolder(parent: string): string {
  const projects = join(parent, 'projects');
  makeFolder(projects, { mode: 0o755 });
  cpSync(join(REPOSITORY, 'examples/projects/release-app'), join(projects, 'release-app'), { recursive: true });
  chmodSync(join(projects, 'release-app'), 0o755);
  return projects;
}

export async function setup(project: TestProject): Promise<void> {
  scratch = scratchFolder();
  const projects = projectsFolder(scratch.path);
  const home = join(scratch.path, 'home');
  platform = await RunningHive.start({ home, env: { WORKER_PROJECTS_FOLDER: projects } });
  const { pid: supervisor, portBase, output } = platform;
  const jwt = await JwtSource.open({ endpoint: `unix://${platform.state.operatorSocket}` });
  try {
    const token = async (audience: string): Promise<string> => (await jwt.fetchJwtSvid({ audience })).token.reveal();
    const earlyTokens = {
      orchestrator: await token(AUDIENCES.orchestrator),
      registry: await token(AUDIENCES.registry),
    };
    project.provide('platform', { home, supervisor, output, portBase, projects, earlyTokens });
  } finally {
    await jwt.close();
  }
}

export async function teardown(): Promise<void> {
  const ended = await platform?.end('SIGINT');
  const output = platform?.output ?? '';
  scratch?.remove();
  // Whatever was done to the platform, it ends in order and leaves nothing.
  if (ended !== undefined && (ended.code !== 0 || !output.includes('0 roles, 0 sessions, 0 leases, 0 processes'))) {
    process.exitCode = 1;
    throw new Error(`the shared platform did not end in order (exit ${ended.code}):\n${output}`);
  }
}
