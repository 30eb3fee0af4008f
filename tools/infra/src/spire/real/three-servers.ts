import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type TlsPostgres } from '@neural-hive/real-stack';
import type { Manifests } from '../../manifests.ts';
import { configurationText } from '../configuration.ts';
import { relocatedServer, type ServerPlace, startOf } from './relocation.ts';
import { RealServer } from './server.ts';

/** Three servers in the places of three pods. */
export async function makeServers(options: {
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

/** A server in a place of its own. */
export function serverAt(options: {
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
export async function startAll(servers: readonly RealServer[]): Promise<void> {
  const first = await Promise.allSettled(servers.map((server) => server.start()));
  for (const [index, { status }] of first.entries()) if (status === 'rejected') await servers[index]?.start();
}
