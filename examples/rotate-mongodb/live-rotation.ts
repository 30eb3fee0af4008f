import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { DevAuthority } from '@neural-hive/dev-authority';
import { Secret } from '@neural-hive/security/common';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import type { MongoTarget } from '../../libraries/security/src/testing/mongo-target.ts';

export interface Observed {
  readonly exitCode: number | null;
  readonly errors: string;
  /** Generations that did work. */
  readonly generations: readonly number[];
}

const PATH = 'orders/mongodb';
const root = resolve(import.meta.dirname, '../..');

interface Line {
  readonly generation: number;
  readonly ok?: boolean;
  readonly orders?: number;
}

/** Runs the example as its reader would, while an operator replaces the stored login `rotations` times. */
export async function runExample(target: MongoTarget, rotations: number): Promise<Observed> {
  // The example runs on what is built; when the build fails here, another check says so better.
  spawnSync(process.execPath, [join(root, 'tools/build.mjs'), 'libraries/security'], { cwd: root });
  const stateFolder = mkdtempSync(join(tmpdir(), 'authority-'));
  const authority = await DevAuthority.open({ stateFolder });
  const { address, caFile, caPem, rootToken } = authority;
  const vault = await VaultClient.open({ address, ca: caPem, auth: tokenAuth({ token: rootToken }) });

  /** What an operator does, or a job: make the user, store the login, and drop the old user when nobody has it any more. */
  const store = async (generation: number): Promise<void> => {
    const login = { username: `orders-${generation}`, password: new Secret(`password ${generation}`) };
    await target.createUser(login);
    await vault.kv('secret').write(PATH, { username: login.username, password: login.password.reveal() });
  };
  await store(1);
  const env = {
    VAULT_ADDR: address,
    VAULT_CACERT: caFile,
    VAULT_TOKEN: rootToken,
    MONGODB_LOGIN: PATH,
    MONGODB_URI: target.uri,
  };
  const example = spawn(process.execPath, [join(import.meta.dirname, 'rotate-mongodb.mjs')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const closed = once(example, 'close');
  let errors = '';
  example.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const heard = hear(example);
  const generations = new Set<number>();
  for (let generation = 1; generation <= rotations + 1; generation += 1) {
    if (generation > 1) {
      const rotated = heard((line) => line.ok === true && line.generation === generation);
      await store(generation);
      await rotated;
      await target.dropUser(`orders-${generation - 1}`);
    }
    const worked = await heard((line) => line.orders !== undefined && line.generation === generation);
    if (worked !== undefined) generations.add(worked.generation);
  }
  example.kill('SIGINT');
  const [exitCode] = (await closed) as [number | null];
  await vault.close();
  await authority.close();
  rmSync(stateFolder, { recursive: true });
  return { exitCode, errors, generations: [...generations] };
}

/** Resolves with the next line that fits, undefined when the program ends before. */
function hear({ stdout }: ChildProcess): (fits: (line: Line) => boolean) => Promise<Line | undefined> {
  if (stdout === null) throw new TypeError('stdout: must be a pipe');
  const lines = createInterface({ input: stdout });
  const listeners = new Set<(line: Line | undefined) => void>();
  let ended = false;
  lines.on('line', (text) => {
    for (const listener of [...listeners]) listener(JSON.parse(text) as Line);
  });
  lines.on('close', () => {
    ended = true;
    for (const listener of [...listeners]) listener(undefined);
  });
  return (fits) =>
    new Promise((resolve) => {
      if (ended) return resolve(undefined);
      const listener = (line: Line | undefined): void => {
        if (line !== undefined && !fits(line)) return;
        listeners.delete(listener);
        resolve(line);
      };
      listeners.add(listener);
    });
}
