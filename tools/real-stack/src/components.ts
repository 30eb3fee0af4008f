import { ETCD_VERSION, installEtcd } from './etcd/install.ts';
import { FERRETDB_VERSION, installFerretDb } from './ferretdb/install.ts';
import { installGoPeer } from './go-peer/install.ts';
import { installHvac } from './hvac/install.ts';
import { IMAGE_NODE_LINE } from './images/build-image.ts';
import { INFRASTRUCTURE_TOOLS, installTool, toolVariable, toolVersion } from './infra/tools.ts';
import { installKafka, installPlatformaticKafka, KAFKA_VERSION } from './kafka/install.ts';
import { installKubernetes, KUBERNETES_VERSION } from './kubernetes/install.ts';
import { installMoto, MOTO_VERSION } from './moto/install.ts';
import { installNodes, pinnedNode } from './nodes/install.ts';
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
    // Its tests have clients of others talk to the dev authority as well.
    install: async (log) => ({
      BAO_BINARY: process.env.BAO_BINARY ?? (await installOpenBao({ log })),
      HVAC_PYTHON: process.env.HVAC_PYTHON ?? (await installHvac({ log })),
    }),
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
  {
    name: 'kubernetes',
    aliases: ['kube'],
    version: KUBERNETES_VERSION,
    // The login of its service accounts is OpenBao's.
    install: async (log) => ({
      KUBERNETES_BINARIES: process.env.KUBERNETES_BINARIES ?? (await installKubernetes({ log })),
      ETCD_BINARY: process.env.ETCD_BINARY ?? (await installEtcd({ log })),
      KWOK_BINARY: await installTool('kwok', { log }),
      BAO_BINARY: process.env.BAO_BINARY ?? (await installOpenBao({ log })),
    }),
  },
  {
    name: 'opa',
    version: toolVersion('opa'),
    install: async (log) => ({ OPA_BINARY: await installTool('opa', { log }) }),
  },
  {
    // All that `hive up --profile real` stands on.
    name: 'platform',
    version: [
      ...[`OpenBao ${OPEN_BAO_VERSION}`, `SPIRE ${SPIRE_VERSION}`, `Redis ${REDIS_VERSION}`],
      ...[`Kubernetes ${KUBERNETES_VERSION}`, `Temporal ${TEMPORAL_VERSION}`],
      ...[`Kafka ${KAFKA_VERSION}`, `FerretDB ${FERRETDB_VERSION}`],
    ].join(', '),
    install: async (log) => ({
      BAO_BINARY: process.env.BAO_BINARY ?? (await installOpenBao({ log })),
      SPIRE_BINARIES: process.env.SPIRE_BINARIES ?? (await installSpire({ log })),
      REDIS_BINARY: process.env.REDIS_BINARY ?? (await installRedis({ log })),
      KUBERNETES_BINARIES: process.env.KUBERNETES_BINARIES ?? (await installKubernetes({ log })),
      ETCD_BINARY: process.env.ETCD_BINARY ?? (await installEtcd({ log })),
      TEMPORAL_BINARIES: process.env.TEMPORAL_BINARIES ?? (await installTemporal({ log })),
      KAFKA_JARS: process.env.KAFKA_JARS ?? (await installKafka({ log })),
      FERRETDB_BINARY: process.env.FERRETDB_BINARY ?? (await installFerretDb({ log })),
    }),
  },
  {
    // The services' Dockerfiles, carried out without a container on the Node of their base image.
    name: 'images',
    version: pinnedNode(IMAGE_NODE_LINE) ?? 'none',
    install: async (log) => ({
      IMAGE_NODE: process.env.IMAGE_NODE ?? (await installNodes({ log }))[IMAGE_NODE_LINE] ?? '',
    }),
  },
  {
    // Programs that check the charts and the Terraform modules.
    name: 'infra',
    aliases: INFRASTRUCTURE_TOOLS.filter((tool) => tool !== 'opa'),
    version: INFRASTRUCTURE_TOOLS.map((tool) => `${tool} ${toolVersion(tool)}`).join(', '),
    async install(log) {
      const env: Record<string, string> = {};
      for (const tool of INFRASTRUCTURE_TOOLS) env[toolVariable(tool)] = await installTool(tool, { log });
      return env;
    },
  },
];

export function isCalled(component: Component, name: string): boolean {
  return component.name === name || (component.aliases ?? []).includes(name);
}
