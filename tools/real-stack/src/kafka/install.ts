import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { filesHash, installed, installNpmFolder } from '../installation.ts';
import { RealStackError } from '../real-stack-error.ts';
import { type ProgramFailure, runInstaller } from '../run-installer.ts';

export const KAFKA_VERSION = '4.1.0';
export const PLATFORMATIC_KAFKA_VERSION = '1.35.0';

/** Maven's own part is pinned as well; what it brings is judged by the hash of each file. */
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Committed next to the sources: the versions, and the hash of every jar that may be started. */
const POM_FOLDER = resolve(import.meta.dirname, '..', '..', 'kafka');
/** Committed next to the sources: the package and its lock. */
const NPM_FOLDER = resolve(import.meta.dirname, '..', '..', 'platformatic-kafka');

export interface KafkaInstallOptions {
  /** Receives one line about what takes long. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Default: the user's cache. */
  readonly cache?: string;
  /** Default `mvn`. */
  readonly maven?: string;
  /** Default `java`. */
  readonly java?: string;
}

/** Jar names and their SHA-256, as `sha256sum` writes them. */
export function parseChecksums(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const [, hash = '', name = ''] = /^([0-9a-f]{64}) [ *](\S+)$/.exec(line) ?? [];
      if (name === '') throw new TypeError(`SHA256SUMS: not a line of sha256sum: ${line}`);
      return [name, hash];
    }),
  );
}

/** Refuses a jar that is missing, that has another content, or that the list does not name. */
export function verifyChecksums(folder: string, expected: ReadonlyMap<string, string>, what: string): void {
  const found = new Set(readdirSync(folder));
  for (const name of found) if (!expected.has(name)) throw refused(what, `${name} is not in SHA256SUMS`);
  for (const [name, hash] of expected) {
    if (!found.has(name)) throw refused(what, `${name} was not downloaded`);
    const actual = createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
    if (actual !== hash) throw refused(what, `${name} is not the file that SHA256SUMS names`);
  }
}

function refused(what: string, rule: string): RealStackError {
  return new RealStackError('install_failed', `${what} failed: ${rule}`);
}

/** The folder with the jars, filled by Maven when it is not in the cache yet. Needs a Java 17 to be of use. */
export async function installKafka(options: KafkaInstallOptions = {}): Promise<string> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder() } = options;
  const { maven = 'mvn', java = 'java' } = options;
  const what = `Installing Kafka ${KAFKA_VERSION}`;
  const javaMissing: ProgramFailure = { code: 'java_missing', advice: 'install a Java runtime, 17 or newer' };
  const version = await runInstaller(java, ['-version'], { what, missing: javaMissing });
  const major = Number(/version "(?:1\.)?(\d+)/.exec(version)?.[1] ?? Number.NaN);
  // A version that cannot be read is not held against it: the broker says so itself.
  if (major < 17) throw new RealStackError('java_missing', `${what} needs Java 17 or newer, and ${java} is ${major}`);
  const checksums = parseChecksums(readFileSync(join(POM_FOLDER, 'SHA256SUMS'), 'utf8'));
  const hash = filesHash(POM_FOLDER, ['pom.xml', 'SHA256SUMS']);
  return installed({
    what,
    folder: join(cache, `kafka-${KAFKA_VERSION}-${hash}`),
    log,
    announcement: `${what} by Maven, once (about 43 MB)…`,
    async fill(folder) {
      const pom = ['--batch-mode', '--quiet', '--strict-checksums', '--file', join(POM_FOLDER, 'pom.xml')];
      const missing: ProgramFailure = { code: 'maven_missing', advice: 'install Maven 3.6 or newer (Debian: maven)' };
      const where = [`-DoutputDirectory=${folder}`, '-DincludeScope=runtime'];
      await runInstaller(maven, [...pom, COPY_DEPENDENCIES, ...where], { what, missing });
      verifyChecksums(folder, checksums, what);
    },
  });
}

/** The folder whose `node_modules` has @platformatic/kafka; npm refuses a package that is not the locked one. */
export function installPlatformaticKafka(options: KafkaInstallOptions = {}): Promise<string> {
  const what = `@platformatic/kafka ${PLATFORMATIC_KAFKA_VERSION}`;
  const name = `platformatic-kafka-${PLATFORMATIC_KAFKA_VERSION}`;
  return installNpmFolder({ what, name, committed: NPM_FOLDER }, options);
}
