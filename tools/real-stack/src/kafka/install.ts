import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { withInstallLock } from '../install-lock.ts';
import { RealStackError } from '../real-stack-error.ts';
import { type ProgramFailure, runInstaller } from './run-installer.ts';

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

interface Installation {
  readonly what: string;
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly announcement: string;
  readonly fill: (folder: string) => Promise<void>;
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

function lockHash(folder: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}

/** Fills a folder once, also when several processes want it; a failure leaves nothing. */
async function installed({ what, folder, log, announcement, fill }: Installation): Promise<string> {
  if (existsSync(folder)) return folder;
  const install = async (): Promise<string> => {
    if (existsSync(folder)) return folder;
    log(announcement);
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    try {
      await fill(unfinished);
      renameSync(unfinished, folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
    return folder;
  };
  return withInstallLock(`${folder}.lock`, install, {
    onWait: () => log(`${what} is under way in another process: waiting…`),
  });
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
  const hash = lockHash(POM_FOLDER, ['pom.xml', 'SHA256SUMS']);
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
export async function installPlatformaticKafka(options: KafkaInstallOptions = {}): Promise<string> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder() } = options;
  const what = `Installing @platformatic/kafka ${PLATFORMATIC_KAFKA_VERSION}`;
  const files = ['package.json', 'package-lock.json'];
  return installed({
    what,
    folder: join(cache, `platformatic-kafka-${PLATFORMATIC_KAFKA_VERSION}-${lockHash(NPM_FOLDER, files)}`),
    log,
    announcement: `${what} by npm, once…`,
    async fill(folder) {
      for (const file of files) copyFileSync(join(NPM_FOLDER, file), join(folder, file));
      const missing: ProgramFailure = { code: 'npm_missing', advice: 'install npm' };
      const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      await runInstaller('npm', ['ci', ...flags], { what, missing, folder });
    },
  });
}
