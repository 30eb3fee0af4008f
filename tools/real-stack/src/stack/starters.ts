import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEtcd } from '../etcd/start.ts';
import { FERRETDB_VERSION } from '../ferretdb/install.ts';
import { startFerretDb } from '../ferretdb/start.ts';
import { askJson, type JsonRequest } from '../https-json.ts';
import { KAFKA_VERSION } from '../kafka/install.ts';
import { startKafka } from '../kafka/start.ts';
import { startKubernetes } from '../kubernetes/start.ts';
import { writeLoopbackCertificate } from '../loopback-certificate.ts';
import { startMoto } from '../moto/start.ts';
import { startOpa } from '../opa/start.ts';
import { startOpenBao } from '../open-bao/start.ts';
import { startRedis } from '../redis/start.ts';
import { SPIRE_VERSION } from '../spire/install.ts';
import { startSpire } from '../spire/start.ts';
import { TEMPORAL_VERSION } from '../temporal/install.ts';
import { startTemporal } from '../temporal/start.ts';
import { reachesSocket, reachesTls } from './reach.ts';
import type { Starter } from './running.ts';

/** The platform's own trust domain. */
const TRUST_DOMAIN = 'neural-hive.local';

async function answers(url: string, options: JsonRequest): Promise<boolean> {
  const answer = await askJson(url, options).catch(() => undefined);
  return answer?.status === 200;
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** By the name of the component; one that is a program and no server has none. */
export const STARTERS: Readonly<Record<string, Starter>> = {
  async openbao({ log }) {
    const bao = await startOpenBao({ log });
    const { address, caFile, version } = bao;
    const token = bao.rootToken.reveal();
    const ca = readFileSync(caFile, 'utf8');
    return {
      version,
      environment: {
        BAO_ADDR: address,
        BAO_CACERT: caFile,
        BAO_TOKEN: token,
        VAULT_ADDR: address,
        VAULT_CACERT: caFile,
        VAULT_TOKEN: token,
      },
      isHealthy: () => answers(`${address}/v1/sys/health`, { ca }),
      stop: () => bao.stop(),
    };
  },

  async spire({ log, folder }) {
    const spire = await startSpire({ trustDomain: TRUST_DOMAIN, oidc: true, log });
    const caFile = join(folder, 'oidc-ca.pem');
    const { oidc } = spire;
    writeFileSync(caFile, oidc?.ca ?? '');
    return {
      version: SPIRE_VERSION,
      environment: {
        SPIFFE_ENDPOINT_SOCKET: spire.endpoint,
        SPIRE_SERVER_SOCKET: join(spire.folder, 'server.sock'),
        SPIRE_AGENT_ID: spire.agentId,
        SPIRE_OIDC_ADDRESS: oidc?.address ?? '',
        SPIRE_OIDC_CACERT: caFile,
      },
      isHealthy: () => reachesSocket(spire.endpoint.slice('unix://'.length)),
      stop: () => spire.stop(),
    };
  },

  async redis({ log }) {
    const redis = await startRedis({ log });
    const { host, port, caFile, admin, version } = redis;
    const ca = readFileSync(caFile);
    return {
      version,
      environment: {
        REDIS_HOST: host,
        REDIS_PORT: String(port),
        REDIS_CACERT: caFile,
        REDIS_USERNAME: admin.username,
        REDIS_PASSWORD: admin.password.reveal(),
      },
      isHealthy: () => reachesTls(port, ca),
      stop: () => redis.stop(),
    };
  },

  async ferretdb({ log }) {
    const ferretdb = await startFerretDb({ log });
    const { uri, caFile, username, password } = ferretdb;
    const ca = readFileSync(caFile);
    const port = Number(new URL(uri).port);
    return {
      version: FERRETDB_VERSION,
      environment: {
        MONGODB_URI: uri,
        MONGODB_CACERT: caFile,
        MONGODB_USERNAME: username,
        MONGODB_PASSWORD: password.reveal(),
      },
      isHealthy: () => reachesTls(port, ca),
      stop: () => ferretdb.stop(),
    };
  },

  async kafka({ log, folder }) {
    const kafka = await startKafka({ log });
    const { broker, ca, superUser } = kafka;
    const caFile = join(folder, 'kafka-ca.pem');
    writeFileSync(caFile, ca);
    return {
      version: KAFKA_VERSION,
      environment: {
        KAFKA_BOOTSTRAP_SERVERS: broker,
        KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
        KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
        KAFKA_SASL_USERNAME: superUser.username,
        KAFKA_SASL_PASSWORD: superUser.password.reveal(),
        KAFKA_SSL_CA: caFile,
      },
      isHealthy: () => reachesTls(portOf(broker), ca),
      stop: () => kafka.stop(),
    };
  },

  async temporal({ log, folder }) {
    const temporal = await startTemporal({ log });
    const { address, authority, namespace } = temporal;
    // As every client: it shows a certificate.
    const { ca, caFile, certificateFile, keyFile } = writeLoopbackCertificate(folder, {
      name: 'temporal.test',
      authority,
      prefix: 'temporal-client-',
    });
    return {
      version: TEMPORAL_VERSION,
      environment: {
        TEMPORAL_ADDRESS: address,
        TEMPORAL_NAMESPACE: namespace,
        TEMPORAL_TLS_SERVER_CA_CERT_PATH: caFile,
        TEMPORAL_TLS_CLIENT_CERT_PATH: certificateFile,
        TEMPORAL_TLS_CLIENT_KEY_PATH: keyFile,
      },
      isHealthy: () => reachesTls(portOf(address), ca),
      stop: () => temporal.stop(),
    };
  },

  async etcd({ log }) {
    const etcd = await startEtcd({ log });
    const { endpoint, ca, caFile, certificateFile, keyFile, version } = etcd;
    const identity = { certificate: readFileSync(certificateFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
    return {
      version,
      environment: {
        ETCDCTL_ENDPOINTS: endpoint,
        ETCDCTL_CACERT: caFile,
        ETCDCTL_CERT: certificateFile,
        ETCDCTL_KEY: keyFile,
      },
      isHealthy: () => answers(`${endpoint}/health`, { ca, identity }),
      stop: () => etcd.stop(),
    };
  },

  async kubernetes({ log }) {
    const cluster = await startKubernetes({ log });
    return {
      version: cluster.version,
      environment: { KUBECONFIG: cluster.kubeconfigFile, KUBECTL: cluster.kubectl },
      isHealthy: () => cluster.api.isReady(),
      stop: () => cluster.stop(),
    };
  },

  async moto({ log }) {
    const moto = await startMoto({ log });
    const { endpoint, region, ca, caFile, credentials, kmsKeyId, version } = moto;
    return {
      version,
      environment: {
        AWS_ENDPOINT_URL: endpoint,
        AWS_REGION: region,
        AWS_CA_BUNDLE: caFile,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey.reveal(),
        AWS_KMS_KEY_ID: kmsKeyId,
      },
      isHealthy: () => answers(`${endpoint}/moto-api/data.json`, { ca }),
      stop: () => moto.stop(),
    };
  },

  async opa({ log }) {
    const opa = await startOpa({ log });
    const { address, ca, caFile, token, version } = opa;
    return {
      version,
      environment: { OPA_ADDRESS: address, OPA_CACERT: caFile, OPA_TOKEN: token.reveal() },
      isHealthy: () => answers(`${address}/health`, { ca }),
      stop: () => opa.stop(),
    };
  },
};
