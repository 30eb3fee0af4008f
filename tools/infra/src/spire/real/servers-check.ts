import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, installSpire, startTlsPostgres, type TlsPostgres } from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import { CertificateAuthority } from '@neural-hive/security/testing';
import type { Check, Report } from '../../check.ts';
import { eventually } from '../../eventually.ts';
import { Helm } from '../../helm.ts';
import type { Manifests } from '../../manifests.ts';
import { point } from '../../point.ts';
import { entryCommands } from '../entry-job.ts';
import { shownEntries, wantedEntries } from '../entry-list.ts';
import { SERVER_ALERT_METRICS } from '../metrics.ts';
import { rendering } from '../renderings.ts';
import type { ServerPlace } from './relocation.ts';
import type { RealServer } from './server.ts';
import { makeServers, serverAt, startAll } from './three-servers.ts';
import { judgeConfigurations } from './validation.ts';

/** A password that a shell, JSON or a connection string would stumble over. */
const PASSWORD = `p"w\\d $x'=`;

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
  what: 'real SPIRE reads the rendered configurations: three servers on one PostgreSQL, and the entries of the Job',
  run: async ({ root, report, progress }) => {
    const helm = await Helm.open();
    const binaries = process.env.SPIRE_BINARIES ?? (await installSpire({ log: progress }));
    const folder = mkdtempSync('/tmp/sp-');
    try {
      await judgeConfigurations(helm, root, binaries, folder, report);
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
