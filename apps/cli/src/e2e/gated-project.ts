import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, constants, cpSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../platform/home.ts';
import { REPOSITORY } from './hive-process.ts';

/** A project whose BUILD lasts until the test lets it end: its settings extend a file that is a pipe. */
export interface GatedProject {
  readonly name: string;
  /** Builds that begin from now on do not wait. */
  open(): void;
  /** The build that waits goes on. */
  letGo(): void;
}

export function gatedProject(projects: string, name: string): GatedProject {
  const folder = join(projects, name);
  const gates = join(projects, '..', 'gates');
  makeFolder(gates, { mode: 0o755 });
  const gate = join(gates, `${name}.json`);
  cpSync(join(REPOSITORY, 'examples/projects/release-app'), folder, { recursive: true });
  const settings = { target: 'ES2023', lib: ['ES2023'], module: 'NodeNext', types: [], strict: true };
  const files = { rewriteRelativeImportExtensions: true, rootDir: 'src', outDir: 'dist' };
  const tsconfig = { extends: gate, compilerOptions: { ...settings, ...files }, include: ['src'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  chmodSync(folder, 0o755);
  execFileSync('mkfifo', ['-m', '644', gate]);
  const pipe = openSync(gate, constants.O_RDWR | constants.O_NONBLOCK);
  let opened = false;
  return {
    name,
    open() {
      opened = true;
      writeFileSync(`${gate}.open`, '{}');
      chmodSync(`${gate}.open`, 0o644);
      renameSync(`${gate}.open`, gate);
    },
    letGo() {
      if (!opened) this.open();
      writeSync(pipe, '{}');
      closeSync(pipe);
    },
  };
}
