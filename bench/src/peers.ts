import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const folder = resolve(import.meta.dirname, '..', 'peers');

/** A package that is only compared with, installed from its lock on first use so that users of the repository never get it. */
export function loadPeer(name: string): unknown {
  const stamp = resolve(folder, 'node_modules', '.lock-installed');
  const lock = readFileSync(resolve(folder, 'package-lock.json'), 'utf8');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    process.stderr.write('Installing the peers to compare with (npm ci)…\n');
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: ['ignore', 2, 2],
    });
    mkdirSync(resolve(folder, 'node_modules'), { recursive: true });
    writeFileSync(stamp, lock);
  }
  return createRequire(resolve(folder, 'package.json'))(name);
}
