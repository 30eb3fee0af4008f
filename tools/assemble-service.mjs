// Lays what a service loads, and nothing else, into an empty folder with the repository's layout:
//   node tools/assemble-service.mjs <service> <folder>
// Packages are those of the lock that the service and the libraries it uses depend on: no development, no optional peers.
// npm would bring those of the libraries along. Plain JavaScript on built-in modules only, as everything that builds.
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Where the lock has a package that `from` asks for, by the rules of Node: beside it, else further out. */
export function located(packages, from, name) {
  for (let folder = from; ; folder = folder === '' ? undefined : outOf(folder)) {
    if (folder === undefined) return undefined;
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (Object.hasOwn(packages, path)) return path;
  }
}

function outOf(folder) {
  const parent = dirname(folder);
  return parent === '.' ? '' : parent;
}

/** Images are Linux with glibc, of the machine's own processor. */
function isForImages({ os = ['linux'], cpu = [process.arch], libc = ['glibc'] }) {
  return os.includes('linux') && cpu.includes(process.arch) && libc.includes('glibc');
}

/** Every place of the lock that the service needs: packages, and the workspaces that are links there. */
export function productionPlaces({ packages }, service) {
  if (!Object.hasOwn(packages, `services/${service}`)) throw new Error(`there is no service ${service}`);
  const found = new Set();
  const visit = (place) => {
    if (found.has(place)) return;
    found.add(place);
    const { link, resolved, dependencies = {}, optionalDependencies = {} } = packages[place];
    if (link) return visit(resolved);
    if (!isForImages(packages[place])) return found.delete(place);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const next = located(packages, place, name);
      if (next !== undefined) visit(next);
      else if (!Object.hasOwn(optionalDependencies, name))
        throw new Error(`${place} needs ${name}, which the lock has not`);
    }
  };
  visit(`services/${service}`);
  return [...found].sort();
}

function assemble(service, folder) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const target = resolve(folder);
  if (existsSync(target)) throw new Error(`${folder} is there already`);
  const take = (path) => {
    const from = join(root, path);
    // What is nested in a package is a place of its own.
    const filter = (file) => !/(^|\/)node_modules(\/|$)/.test(file.slice(from.length));
    if (existsSync(from)) cpSync(from, join(target, path), { recursive: true, filter });
  };
  for (const place of productionPlaces(lock, service)) {
    const { link, resolved, optional } = lock.packages[place];
    if (link) {
      mkdirSync(join(target, dirname(place)), { recursive: true });
      symlinkSync(relative(dirname(place), resolved), join(target, place));
    } else if (place.includes('node_modules/')) {
      if (!optional && !existsSync(join(root, place))) throw new Error(`${place} is not installed: run npm ci first`);
      take(place);
    } else {
      take(`${place}/package.json`);
      const notLoaded = (file) => /\.(map|d\.ts|tsbuildinfo)$/.test(file);
      cpSync(join(root, place, 'dist'), join(target, place, 'dist'), {
        recursive: true,
        filter: (file) => !notLoaded(file),
      });
    }
  }
  for (const file of ['LICENSE', 'package.json']) take(file);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [service, folder] = process.argv.slice(2);
  if (folder === undefined) {
    process.stderr.write('usage: node tools/assemble-service.mjs <service> <folder>\n');
    process.exit(2);
  }
  try {
    assemble(service, folder);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
