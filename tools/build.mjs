// Builds the workspaces: node tools/build.mjs [projects of tsc -b…]
// The library is one file an entry point, with what they share beside it: Node takes about a millisecond for every ES module it
// loads, and the library has hundreds. Its types come from tsc like everybody's.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const library = join(root, 'libraries', 'security');
const stamp = join(library, 'dist', '.bundled');

function compile(projects) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { error, status, signal } = spawnSync(process.execPath, [tsc, '-b', ...projects], { stdio: ['ignore', 2, 2] });
  if (error) throw error;
  if (status !== 0) throw new Error(`tsc -b ended with ${status ?? signal}: see the lines above.`);
}

/** Whether a source, the manifest or this program is newer than the last bundle. */
function isStale() {
  if (!existsSync(stamp)) return true;
  const built = statSync(stamp).mtimeMs;
  const sources = readdirSync(join(library, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() || (entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts')))
    .map((entry) => join(entry.parentPath, entry.name));
  return [...sources, join(library, 'package.json'), fileURLToPath(import.meta.url)].some(
    (path) => statSync(path).mtimeMs > built,
  );
}

async function bundle() {
  const startedAt = new Date();
  const { rolldown } = await import('rolldown');
  const { exports, dependencies, peerDependencies } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  const entries = Object.values(exports).filter((entry) => typeof entry === 'object');
  const input = entries.map((entry) => [
    entry.default.replace(/^\.\/dist\/|\.js$/g, ''),
    join(library, entry['@neural-hive/source']),
  ]);
  // Of protobuf the library needs two classes; importing them from the package loads all of it.
  const packages = Object.keys({ ...dependencies, ...peerDependencies }).filter(
    (name) => name !== '@bufbuild/protobuf',
  );
  const bundled = await rolldown({
    input: Object.fromEntries(input),
    external: [/^node:/, ...packages.map((name) => new RegExp(`^${name}(/|$)`))],
    platform: 'node',
    transform: { target: 'node20.19' },
  });
  await bundled.write({
    dir: join(library, 'dist'),
    format: 'esm',
    sourcemap: true,
    comments: false,
    entryFileNames: '[name].js',
    chunkFileNames: 'shared/[name].js',
    // What verifies SVIDs is one file more, and the rest of `/spiffe` another.
    codeSplitting: {
      groups: [
        { name: 'core', test: /src\/(common|encoding)\/|src\/spiffe\/(bundle|certificate|svid|(?!index)[\w-]+\.ts$)/ },
        { name: 'spiffe', test: /src\/spiffe\/|@bufbuild/ },
      ],
    },
  });
  await bundled.close();
  writeFileSync(stamp, '');
  // What changed meanwhile is newer than the bundle.
  utimesSync(stamp, startedAt, startedAt);
}

try {
  compile(process.argv.slice(2));
  if (isStale()) await bundle();
} catch (error) {
  process.stderr.write(`The build failed: ${error.message}\n`);
  process.exit(1);
}
