import { ETCD_VERSION, installEtcd } from './etcd/install.ts';
import { FERRETDB_VERSION, installFerretDb } from './ferretdb/install.ts';
import { installGoPeer } from './go-peer/install.ts';
import { installKafka, installPlatformaticKafka, KAFKA_VERSION } from './kafka/install.ts';
import { installMoto, MOTO_VERSION } from './moto/install.ts';
import { installOpenBao, OPEN_BAO_VERSION, OPEN_BAO_WITH_AWSKMS } from './open-bao/install.ts';
import { installRedis, REDIS_VERSION } from './redis/install.ts';
import { installSpire, SPIRE_VERSION } from './spire/install.ts';
import { installTemporal, installTemporalSdk, TEMPORAL_VERSION } from './temporal/install.ts';

/** A real server that tests can be run against. */
export interface Component {
  readonly name: string;
  /** Other names that mean it on the command line. */
  readonly aliases?: readonly string[];
  readonly version: string;
  /** Makes it startable, quick when it is already, and returns the environment in which its tests find it. */
  readonly install: (log: (line: string) => void) => Promise<Readonly<Record<string, string>>>;
}

export const COMPONENTS: readonly Component[] = [
  {
    name: 'openbao',
    aliases: ['vault'],
    version: OPEN_BAO_VERSION,
    install: async (log) => ({ BAO_BINARY: process.env.BAO_BINARY ?? (await installOpenBao({ log })) }),
  },
  {
    name: 'spire',
    aliases: ['spiffe'],
    version: SPIRE_VERSION,
    install: async (log) => ({
      SPIRE_BINARIES: process.env.SPIRE_BINARIES ?? (await installSpire({ log })),
      GO_PEER_BINARY: process.env.GO_PEER_BINARY ?? (await installGoPeer({ log })),
    }),
  },
  {
    name: 'redis',
    version: REDIS_VERSION,
    // Its end-to-end test takes the logins from OpenBao.
    install: async (log) => ({
      REDIS_BINARY: process.env.REDIS_BINARY ?? (await installRedis({ log })),
      BAO_BINARY: process.env.BAO_BINARY ?? (await installOpenBao({ log })),
    }),
  },
  {
    name: 'ferretdb',
    aliases: ['mongodb'],
    version: FERRETDB_VERSION,
    install: async (log) => ({ FERRETDB_BINARY: process.env.FERRETDB_BINARY ?? (await installFerretDb({ log })) }),
  },
  {
    name: 'kafka',
    version: KAFKA_VERSION,
    install: async (log) => ({
      KAFKA_JARS: process.env.KAFKA_JARS ?? (await installKafka({ log })),
      PLATFORMATIC_KAFKA: process.env.PLATFORMATIC_KAFKA ?? (await installPlatformaticKafka({ log })),
    }),
  },
  {
    name: 'temporal',
    version: TEMPORAL_VERSION,
    // Its server takes its login from a static role of OpenBao.
    install: async (log) => ({
      TEMPORAL_BINARIES: process.env.TEMPORAL_BINARIES ?? (await installTemporal({ log })),
      TEMPORAL_SDK: process.env.TEMPORAL_SDK ?? (await installTemporalSdk({ log })),
      BAO_BINARY: process.env.BAO_BINARY ?? (await installOpenBao({ log })),
    }),
  },
  {
    name: 'moto',
    aliases: ['aws'],
    version: MOTO_VERSION,
    // What asks it is an OpenBao of the line that has the seal.
    install: async (log) => ({
      MOTO_PYTHON: process.env.MOTO_PYTHON ?? (await installMoto({ log })),
      BAO_AWSKMS_BINARY:
        process.env.BAO_AWSKMS_BINARY ?? (await installOpenBao({ log, version: OPEN_BAO_WITH_AWSKMS })),
    }),
  },
  {
    name: 'etcd',
    version: ETCD_VERSION,
    install: async (log) => ({ ETCD_BINARY: process.env.ETCD_BINARY ?? (await installEtcd({ log })) }),
  },
];

export function isCalled(component: Component, name: string): boolean {
  return component.name === name || (component.aliases ?? []).includes(name);
}
