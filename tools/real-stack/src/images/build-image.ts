import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { RealStackError } from '../real-stack-error.ts';
import { copyContext, ignoredBy } from './build-context.ts';
import { type Instruction, parseDockerfile, type Stage } from './dockerfile.ts';
import type { MachineNpm } from './machine-npm.ts';

/** What our Dockerfiles build on. */
export const IMAGE_NODE_LINE = '24';

export interface BuildImageOptions {
  /** The repository, whose files are the context of the build. */
  readonly root: string;
  /** Below the root. */
  readonly dockerfile: string;
  /** An empty folder, or the one of a build before: stages that begin alike are built once. */
  readonly folder: string;
  /** What stands for the base image: its Node, and the npm of this machine on it. */
  readonly node: string;
  readonly npm: MachineNpm;
  readonly log?: (line: string) => void;
}

export interface BuiltImage {
  /** What stands for `/` of the image, without what comes from the base. */
  readonly tree: string;
  readonly base: string;
  /** `/` is the tree. */
  readonly workdir: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
}

/**
 * Carries out a Dockerfile without a container: each stage is a folder, RUN is a program that starts in its working
 * directory with a bare environment. What RUN does with absolute paths would be done to this machine, so our Dockerfiles
 * have none there. @throws RealStackError `command_failed`
 */
export async function buildImage(options: BuildImageOptions): Promise<BuiltImage> {
  const { root, dockerfile, folder, log = () => {} } = options;
  const stages = parseDockerfile(readFileSync(join(root, dockerfile), 'utf8'));
  const trees = new Map<string, string>();
  let last: BuiltImage | undefined;
  for (const [index, stage] of stages.entries()) {
    log(`${dockerfile}: stage ${index + 1} of ${stages.length}, on ${stage.base}`);
    last = await buildStage(stage, trees, options, join(folder, `${slug(dockerfile)}-${index}`));
    trees.set(stage.name ?? String(index), last.tree);
  }
  if (last === undefined) throw new RealStackError('command_failed', `${dockerfile} has no stage`);
  return last;
}

async function buildStage(
  { base, instructions }: Stage,
  trees: ReadonlyMap<string, string>,
  options: BuildImageOptions,
  tree: string,
): Promise<BuiltImage> {
  const { folder, log = () => {} } = options;
  const image = { tree, base, workdir: '/', env: {} as Record<string, string>, entrypoint: [] as readonly string[] };
  let user: BuiltImage['user'];
  let key = createHash('sha256').update(base);
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  for (const [index, instruction] of instructions.entries()) {
    key = createHash('sha256').update(key.digest('hex')).update(JSON.stringify(instruction));
    switch (instruction.kind) {
      case 'workdir':
        image.workdir = join(image.workdir, instruction.folder);
        mkdirSync(join(tree, image.workdir), { recursive: true });
        break;
      case 'env':
        Object.assign(image.env, instruction.values);
        break;
      case 'user':
        user = instruction;
        break;
      case 'entrypoint':
        image.entrypoint = instruction.words;
        break;
      case 'cmd':
        image.entrypoint = [...image.entrypoint, ...instruction.words];
        break;
      case 'copy':
        copy(instruction, trees, options, image);
        break;
      case 'run': {
        // Only the first RUN is the same in several Dockerfiles.
        const first = !instructions.slice(0, index).some(({ kind }) => kind === 'run');
        const kept = join(folder, `kept-${key.copy().digest('hex').slice(0, 16)}`);
        if (first && existsSync(kept)) {
          log(`RUN ${instruction.command} (as before)`);
          rmSync(tree, { recursive: true });
          cpSync(kept, tree, { recursive: true, verbatimSymlinks: true });
          break;
        }
        log(`RUN ${instruction.command}`);
        await run(instruction.command, options, image);
        if (first) keep(tree, kept);
        break;
      }
    }
  }
  return { ...image, user };
}

function keep(tree: string, kept: string): void {
  cpSync(tree, `${kept}.unfinished`, { recursive: true, verbatimSymlinks: true });
  renameSync(`${kept}.unfinished`, kept);
}

interface StageState {
  readonly tree: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
}

function copy(
  { from, sources, target }: Extract<Instruction, { kind: 'copy' }>,
  trees: ReadonlyMap<string, string>,
  { root, dockerfile }: BuildImageOptions,
  { tree, workdir }: StageState,
): void {
  const to = join(tree, target.startsWith('/') ? target : join(workdir, target));
  if (from === undefined) {
    if (sources.join() !== '.') throw new RealStackError('command_failed', 'COPY of the context: only of all of it');
    copyContext(root, to, ignoredBy(root, dockerfile));
    return;
  }
  const source = trees.get(from);
  if (source === undefined) throw new RealStackError('command_failed', `COPY --from=${from}: there is no such stage`);
  for (const path of sources) {
    const at = join(source, path);
    // A folder's content goes into the target, a file into a target that ends with a slash, or becomes it.
    const isFolder = statSync(at).isDirectory();
    const place = !isFolder && (target.endsWith('/') || sources.length > 1) ? join(to, basename(path)) : to;
    cpSync(at, place, { recursive: true, verbatimSymlinks: true });
  }
}

/** The base image's programs: its Node by name, and npm running on it. */
function programsFolder({ folder, node, npm }: BuildImageOptions): string {
  const programs = join(folder, 'bin');
  mkdirSync(programs, { recursive: true });
  const write = (name: string, line: string): void => {
    writeFileSync(join(programs, name), `#!/bin/sh\nexec ${line} "$@"\n`);
    chmodSync(join(programs, name), 0o755);
  };
  write('node', `'${node}'`);
  write('npm', `'${node}' '${npm.program}'`);
  return programs;
}

async function run(command: string, options: BuildImageOptions, { tree, workdir, env }: StageState): Promise<void> {
  const home = join(options.folder, 'home');
  mkdirSync(home, { recursive: true });
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: join(tree, workdir),
    env: { ...options.npm.env, PATH: `${programsFolder(options)}:/usr/local/bin:/usr/bin:/bin`, HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-8_192);
    });
  }
  const failure = await new Promise<string | undefined>((done) => {
    child.once('error', ({ message }) => done(message));
    child.once('close', (code) => done(code === 0 ? undefined : `exit ${code}: ${output.trim()}`));
  });
  if (failure !== undefined) throw new RealStackError('command_failed', `RUN ${command}: ${failure}`);
}

function slug(dockerfile: string): string {
  return dockerfile.replaceAll(/[^A-Za-z0-9]+/g, '-');
}
