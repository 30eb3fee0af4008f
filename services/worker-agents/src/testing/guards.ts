import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GuardPrograms } from '../attempts/watchdog-process.ts';

const TYPESCRIPT = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));

const folders = new Set<string>();

process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/**
 * A folder below the system's temporary one that every uid can cross, for programs that run under other uids. It goes
 * with this process.
 */
export function openFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `nh-${name}-`));
  folders.add(folder);
  chmodSync(folder, 0o755);
  return folder;
}

/** The folder of the TypeScript compiler that the worker ships with. */
export function typescriptFolder(): string {
  return TYPESCRIPT;
}

/**
 * Compiles single source files of this package to JavaScript, since Node 20 runs no TypeScript. Files that import packages
 * need an `out` from where these can be found.
 */
export function compiled(files: readonly string[], out = openFolder('compiled')): string {
  const src = fileURLToPath(new URL('..', import.meta.url));
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  execFileSync(process.execPath, [
    join(TYPESCRIPT, 'bin', 'tsc'),
    ...['--ignoreConfig', '--noCheck', '--noResolve', '--target', 'es2023', '--module', 'nodenext'],
    ...['--rewriteRelativeImportExtensions', '--rootDir', src, '--outDir', out],
    ...files.map((file) => join(src, file)),
  ]);
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
  return out;
}

let guards: GuardPrograms | undefined;

export function compiledGuards(): GuardPrograms {
  if (guards === undefined) {
    const folder = join(compiled(['attempts/attempt-watchdog.ts', 'attempts/attempt-reaper.ts']), 'attempts');
    guards = { watchdog: join(folder, 'attempt-watchdog.js'), reaper: join(folder, 'attempt-reaper.js') };
  }
  return guards;
}
