import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface AuthorityProcess {
  readonly address: string;
  readonly caPem: string;
  readonly rootToken: string;
  close(): Promise<void>;
}

/** The dev authority in a process of its own, so that its work delays nobody whose time is taken. */
export async function startAuthority(): Promise<AuthorityProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-authority-'));
  const configuration = join(folder, 'configuration.json');
  writeFileSync(configuration, JSON.stringify({ stateFolder: join(folder, 'state') }));
  const program = fileURLToPath(new URL('main.js', import.meta.resolve('@neural-hive/dev-authority')));
  const child = spawn(process.execPath, [program, configuration], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, HIVE_PARENT_PIPE: '1' },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { address, caFile, rootTokenFile } = JSON.parse(line) as Record<
      'address' | 'caFile' | 'rootTokenFile',
      string
    >;
    return {
      address,
      caPem: readFileSync(caFile, 'utf8'),
      rootToken: readFileSync(rootTokenFile, 'utf8').trim(),
      async close() {
        child.kill('SIGTERM');
        await once(child, 'close');
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }
  throw new Error('the dev authority ended before it was ready');
}
