// Writes the software bill of materials of a service, CycloneDX 1.5 as JSON, to standard output:
//   node tools/sbom.mjs <service>
// It lists what tools/assemble-service.mjs lays into the service's image. `npm sbom --workspace` leaves out what a library
// has as an optional peer as well, which the service depends on by itself. The same lock gives the same text.
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { located, productionPlaces } from './assemble-service.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

function fullName(place, entry) {
  return entry.name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function component(place, entry) {
  const full = fullName(place, entry);
  const [scope, name] = full.startsWith('@') ? full.split('/') : [undefined, full];
  // https://github.com/package-url/purl-spec: the scope is the namespace, its @ encoded.
  const purl = `pkg:npm/${scope === undefined ? '' : `%40${scope.slice(1)}/`}${name}@${entry.version}`;
  const sha512 = entry.integrity?.split(' ').find((hash) => hash.startsWith('sha512-'));
  return {
    type: 'library',
    'bom-ref': place,
    ...(scope !== undefined && { group: scope }),
    name,
    version: entry.version,
    scope: entry.optional ? 'optional' : 'required',
    ...(sha512 !== undefined && {
      hashes: [{ alg: 'SHA-512', content: Buffer.from(sha512.slice('sha512-'.length), 'base64').toString('hex') }],
    }),
    ...(entry.license !== undefined && { licenses: [licence(entry.license)] }),
    purl,
  };
}

/** An identifier of SPDX, or an expression of several. */
function licence(text) {
  return /[ ()]/.test(text) ? { expression: text } : { license: { id: text } };
}

function bill(service) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { packages } = lock;
  const target = (place) => (packages[place].link ? packages[place].resolved : place);
  const places = productionPlaces(lock, service).filter((place) => !packages[place].link);
  const known = new Set(places);
  const own = `services/${service}`;
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { ...component(own, packages[own]), type: 'application' } },
    components: places.filter((place) => place !== own).map((place) => component(place, packages[place])),
    dependencies: places.map((place) => {
      const { dependencies = {}, optionalDependencies = {} } = packages[place];
      const names = Object.keys({ ...dependencies, ...optionalDependencies });
      const refs = names.map((name) => located(packages, place, name)).filter((found) => found !== undefined);
      return {
        ref: place,
        dependsOn: refs
          .map(target)
          .filter((ref) => known.has(ref))
          .sort(),
      };
    }),
  };
}

const [service, ...more] = process.argv.slice(2);
if (service === undefined || more.length > 0) {
  process.stderr.write('usage: node tools/sbom.mjs <service>\n');
  process.exit(2);
}
try {
  process.stdout.write(`${JSON.stringify(bill(service), undefined, 2)}\n`);
} catch (error) {
  process.stderr.write(`The bill of ${service} cannot be written: ${error.message}\n`);
  process.exit(1);
}
