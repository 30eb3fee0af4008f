import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, installSpire, startTlsPostgres, type TlsPostgres } from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import { CertificateAuthority } from '@neural-hive/security/testing';
import type { Check, Report } from '../../check.ts';
import { Helm } from '../../helm.ts';
import { listAt, type Manifests } from '../../manifests.ts';
import { configurationText } from '../configuration.ts';
import { entryCommands } from '../entry-job.ts';
import { shownEntries, wantedEntries } from '../entry-list.ts';
import { SERVER_ALERT_METRICS } from '../metrics.ts';
import { type Rendering, rendering } from '../renderings.ts';
import { POD } from '../rules/pods.ts';
import { point } from './point.ts';
import { relocatedServer, type ServerPlace, startOf } from './relocation.ts';
import { eventually, RealServer } from './server.ts';

const RENDERINGS: readonly Rendering[] = ['prod', 'full', 'hostNetwork', 'disk', 'dev'];

/** A password that a shell, JSON or a connection string would stumble over. */
const PASSWORD = `p"w\\d $x'=`;

type Program = 'spire-server' | 'spire-agent';

/** What the program says against a configuration that only was put elsewhere; undefined when it accepts it. */
function complaint(
  binaries: string,
  folder: string,
  program: Program,
  text: string,
  options: readonly string[],
): string | undefined {
  const file = join(folder, `${program}.conf`);
  writeFileSync(file, text);
  const env = { PATH: '/usr/bin:/bin', POD_NAME: `${program}-0` };
  const args = ['validate', '-config', file, ...options];
  const { status, stdout, stderr } = spawnSync(join(binaries, program), args, { encoding: 'utf8', env });
  return status === 0 ? undefined : `${stdout}${stderr}`.trim();
}

async function validate(helm: Helm, root: string, binaries: string, folder: string, report: Report): Promise<void> {
  for (const name of RENDERINGS) {
    const manifests = await helm.render(rendering(root, name));
    for (const [program, kind] of [
      ['spire-server', 'StatefulSet'],
      ['spire-agent', 'DaemonSet'],
    ] as const) {
      const text = configurationText(manifests, program);
      // As the pod starts it: run -config <file> and what else.
      const options = listAt(manifests.get(kind, program), `${POD}.containers.0.args`).slice(3).map(String);
      const judge = (of: string): string | undefined => complaint(binaries, folder, program, of, options);
      await point(report, `${program} validate, ${name}`, () => equal(judge(text), undefined));
      // The control: the same with one name misspelt.
      const misspelt = text.replace('"trust_domain"', '"trustdomain"');
      await point(report, `${program} validate refuses a misspelt name, ${name}`, () => ok(judge(misspelt)));
    }
  }
}

/** Three servers in the places of three pods. */
async function makeServers(options: {
  manifests: Manifests;
  database: TlsPostgres;
  binaries: string;
  folder: string;
}): Promise<RealServer[]> {
  const { manifests, database, binaries, folder } = options;
  const databaseCaFolder = join(folder, 'ca');
  mkdirSync(databaseCaFolder);
  copyFileSync(database.caFile, join(databaseCaFolder, 'ca.crt'));
  const servers: RealServer[] = [];
  for (const name of ['spire-server-0', 'spire-server-1', 'spire-server-2']) {
    const ports = { grpc: await freePort(), health: await freePort(), metrics: await freePort() };
    const place: ServerPlace = { folder: join(folder, name.slice(-1)), ports, databaseCaFolder };
    mkdirSync(place.folder);
    servers.push(serverAt({ name, place, manifests, database, binaries }));
  }
  return servers;
}

function serverAt(options: {
  name: string;
  place: ServerPlace;
  manifests: Manifests;
  database: TlsPostgres;
  binaries: string;
}): RealServer {
  const { name, place, manifests, database, binaries } = options;
  const start = startOf(manifests, ['StatefulSet', 'spire-server'], {
    configurationFile: RealServer.configurationFile(place),
    secrets: { 'spire-database': { username: database.user, password: database.password.reveal() } },
    fields: { 'metadata.name': name },
  });
  return new RealServer({
    name,
    binaries,
    place,
    configuration: relocatedServer(configurationText(manifests, 'spire-server'), place),
    start,
  });
}

/**
 * As `podManagementPolicy: Parallel` does. Making the tables of an empty database is a race that one server wins; the others
 * end, and kubelet starts them again.
 */
async function startAll(servers: readonly RealServer[]): Promise<void> {
  const first = await Promise.allSettled(servers.map((server) => server.start()));
  for (const [index, { status }] of first.entries()) if (status === 'rejected') await servers[index]?.start();
}

async function runJob(manifests: Manifests, server: RealServer): Promise<void> {
  for (const command of entryCommands(manifests)) await server.commands.run(command);
}

async function judgeServers(servers: readonly RealServer[], manifests: Manifests, report: Report): Promise<void> {
  const [first, second, third] = servers;
  if (first === undefined || second === undefined || third === undefined) throw new RangeError('three servers');
  const isShared = async (server: RealServer): Promise<boolean> => (await server.authorities()).length === 3;
  await point(
    report,
    'each of three servers has an authority of its own, and all are in the bundle of each',
    async () => {
      for (const server of servers) await eventually(`three authorities at ${server.name}`, () => isShared(server));
      deepEqual(await second.authorities(), await first.authorities());
    },
  );
  await point(report, 'the probes are answered', async () => {
    for (const server of servers)
      for (const path of ['/ready', '/live']) ok(await server.answers(path), `${server.name} ${path}`);
  });
  await point(report, 'what the alerts look at is measured', async () => {
    await eventually('every metric', async () => {
      const text = await first.metrics();
      return SERVER_ALERT_METRICS.every((name) => text.includes(`\n${name}{`));
    });
  });
  await point(report, 'an update of what was not created fails, which is how the Job notices', async () => {
    const update = entryCommands(manifests).find(([, action]) => action === 'update') ?? [];
    ok(
      await first.commands.run(update).then(
        () => false,
        () => true,
      ),
      'it did not fail',
    );
  });
  const shown = async (server: RealServer) =>
    shownEntries(await server.commands.run(['entry', 'show', '-output', 'json']));
  await point(report, 'the Job’s commands register exactly its entries, which every server shows', async () => {
    deepEqual(await shown(third), []);
    await runJob(manifests, first);
    equal(wantedEntries(manifests).length, 5);
    for (const server of servers) deepEqual(await shown(server), wantedEntries(manifests), server.name);
  });
  await point(report, 'a second run changes nothing', async () => {
    await runJob(manifests, second);
    deepEqual(await shown(third), wantedEntries(manifests));
  });
  await point(report, 'an identity that is registered under another id fails the Job', async () => {
    const [create = [], update = []] = entryCommands(manifests);
    const renamed = (command: readonly string[]) => command.map((arg) => arg.replace('neural-hive.nodes', 'by-hand'));
    await first.commands.run(renamed(create));
    ok(
      await first.commands.run(renamed(update)).then(
        () => false,
        () => true,
      ),
      'it did not fail',
    );
  });
}

export const spireServersCheck: Check = {
  name: 'spire-real',
  what: 'real SPIRE reads the rendered configurations: three servers on one PostgreSQL, the entries, KMS keys',
  run: async ({ root, report, progress }) => {
    const helm = Helm.find();
    const binaries = process.env.SPIRE_BINARIES ?? (await installSpire({ log: progress }));
    const folder = mkdtempSync('/tmp/sp-');
    try {
      await validate(helm, root, binaries, folder, report);
      await using database = await startTlsPostgres({ database: 'spire', password: PASSWORD });
      const over = { database: { host: database.host, port: database.port } };
      const manifests = await helm.render(rendering(root, 'disk', over));
      const servers = await makeServers({ manifests, database, binaries, folder });
      try {
        await point(
          report,
          'three servers start at once on one PostgreSQL, by its name and authority and with a login from a Secret',
          () => startAll(servers),
        );
        await judgeServers(servers, manifests, report);
        await judgeChanges({ helm, root, over, servers, manifests, report });
      } finally {
        for (const server of servers) await server.stop();
      }
      await judgeStranger({ manifests, database, binaries, folder, report });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Other values reach the entries; a restart keeps keys and entries. */
async function judgeChanges(options: {
  helm: Helm;
  root: string;
  over: Readonly<Record<string, unknown>>;
  servers: readonly RealServer[];
  manifests: Manifests;
  report: Report;
}): Promise<void> {
  const { helm, root, over, servers, manifests, report } = options;
  const [first, , third] = servers;
  if (first === undefined || third === undefined) throw new RangeError('three servers');
  await point(report, 'another lifetime and another name in the values change the entry', async () => {
    const workloads = [
      {
        namespace: 'neural-hive-registry',
        serviceAccount: 'service-registry',
        x509SvidTtl: '30m',
        dnsNames: ['registry.neural-hive.local'],
      },
    ];
    const changed = await helm.render(rendering(root, 'disk', { ...over, entries: { workloads } }));
    await runJob(changed, first);
    const entries = shownEntries(await third.commands.run(['entry', 'show', '-output', 'json']));
    const entry = entries.find(({ spiffeId }) => spiffeId.endsWith('/sa/service-registry'));
    equal(entry?.x509TtlSeconds, 1_800);
    deepEqual(entry?.dnsNames, ['registry.neural-hive.local']);
    await runJob(manifests, first);
  });
  await point(report, 'a server that restarts keeps its authority and the entries', async () => {
    const before = await third.authorities();
    await third.stop();
    await third.start();
    deepEqual(await third.authorities(), before);
    deepEqual(shownEntries(await third.commands.run(['entry', 'show', '-output', 'json'])), wantedEntries(manifests));
  });
}

/** A database with another authority’s certificate is not believed. */
async function judgeStranger(options: {
  manifests: Manifests;
  database: TlsPostgres;
  binaries: string;
  folder: string;
  report: Report;
}): Promise<void> {
  const { folder, report } = options;
  const databaseCaFolder = join(folder, 'other-ca');
  mkdirSync(databaseCaFolder);
  writeFileSync(join(databaseCaFolder, 'ca.crt'), CertificateAuthority.create('other.test').certificatePem);
  const ports = { grpc: await freePort(), health: await freePort(), metrics: await freePort() };
  const place: ServerPlace = { folder: join(folder, 'x'), ports, databaseCaFolder };
  mkdirSync(place.folder);
  const server = serverAt({ ...options, name: 'spire-server-9', place });
  await point(report, 'a server does not believe a database of another authority', async () => {
    const why = await server.start().then(() => undefined, messageOf);
    ok(why?.includes('certificate signed by unknown authority'), why ?? 'it started');
  });
  await server.stop();
}
