import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { type KafkaLogin, kafkaScramUsers } from '@neural-hive/security/kafka';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { RealStackError } from '../real-stack-error.ts';
import { noteUse } from '../used.ts';
import { formatArguments, type KafkaSettings, kafkaPaths, serverProperties } from './configuration.ts';
import { installKafka, KAFKA_VERSION } from './install.ts';

export interface StartKafkaOptions {
  /** After how long a connection must authenticate again, else the broker closes it. In milliseconds; default 15 000. */
  readonly maxReauthMs?: number;
  /** The folder with the jars. Default: KAFKA_JARS, else the installed ones. */
  readonly jars?: string;
  /** Default `java`. */
  readonly java?: string;
  /**
   * Whether `restart` may be called. Its folder is left behind when this process is killed, since it has to outlive the
   * broker. Default false.
   */
  readonly restartable?: boolean;
  /** The broker's log, warnings and worse. */
  readonly log?: (line: string) => void;
}

export interface KafkaServer extends AsyncDisposable {
  /** `127.0.0.1:<port>`, SASL_SSL with SCRAM-SHA-512 */
  readonly broker: string;
  /** The authority of the broker's certificate, in PEM. */
  readonly ca: string;
  /** May do everything; anybody else needs ACLs. */
  readonly superUser: KafkaLogin;
  readonly pid: number | undefined;
  /** Kills the broker and starts it again on what it had on its disk; resolves when it answers. Of a restartable one. */
  restart(): Promise<void>;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 90_000;
/** A small heap and no second compiler: it is started often and works little. */
const JVM = ['-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'];
const LOG = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];

/**
 * Starts a Kafka of one node on free ports: TLS, SCRAM-SHA-512 and ACLs. It ends with this process, even when this
 * process is killed.
 */
export async function startKafka(options: StartKafkaOptions = {}): Promise<KafkaServer> {
  const { maxReauthMs = 15_000, java = 'java', log = () => {} } = options;
  const jars = options.jars ?? process.env.KAFKA_JARS ?? (await installKafka({ java }));
  const folder = mkdtempSync(join(tmpdir(), 'kafka-'));
  const paths = kafkaPaths(folder);
  const superUser: KafkaLogin = { username: 'root', password: new Secret(randomBytes(24).toString('hex')) };
  const ports = { clients: await freePort(), controller: await freePort() };
  const { username, password } = superUser;
  const settings: KafkaSettings = { ports, maxReauthMs, superUser: { username, password: password.reveal() } };
  const authority = CertificateAuthority.create('kafka.test');
  const names = { ipAddresses: ['127.0.0.1'], dnsNames: ['localhost'], ttlSeconds: 24 * 3600 };
  const { certificateChainPem, privateKey } = authority.issueTlsCertificate(names);
  const ca = authority.export().chainPem;
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: folder };
  const program = [...JVM, ...LOG, '-cp', join(jars, '*')];
  try {
    const secret = { mode: 0o600 };
    mkdirSync(paths.data);
    writeFileSync(
      paths.keyStore,
      `${privateKey.export({ type: 'pkcs8', format: 'pem' })}${certificateChainPem}`,
      secret,
    );
    writeFileSync(paths.trustStore, ca);
    writeFileSync(paths.properties, serverProperties(settings, paths), secret);
    writeFileSync(
      paths.formatArguments,
      formatArguments(settings, paths, randomBytes(16).toString('base64url')),
      secret,
    );
    await format(java, [...program, 'kafka.tools.StorageTool', `@${paths.formatArguments}`], env);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const { restartable = false } = options;
  const start = (): GuardedProcess =>
    new GuardedProcess({
      name: 'Kafka',
      program: java,
      args: [...program, 'kafka.Kafka', paths.properties],
      ...(restartable ? {} : { removeFolder: folder }),
      env,
      log,
      // A shell starts what runs in the background with SIGINT ignored, and Java leaves it so.
      stopSignals: ['TERM', 'KILL'],
    });
  let server = start();
  const broker = `127.0.0.1:${ports.clients}`;
  const users = kafkaScramUsers({ brokers: [broker], tls: { ca }, login: () => superUser, timeoutMs: 5_000 });
  const isReady = (): Promise<boolean> =>
    users.list().then(
      (list) => list.includes(username),
      () => false,
    );
  const stop = async (): Promise<void> => {
    await server.stop();
    if (restartable) rmSync(folder, { recursive: true, force: true });
  };
  const restart = async (): Promise<void> => {
    if (!restartable) throw new TypeError('restartable: was not asked for');
    killChildren(server.pid);
    await server.stop();
    server = start();
    await server.ready(isReady, { limitMs: READY_LIMIT_MS });
  };
  await server.ready(isReady, { limitMs: READY_LIMIT_MS });
  noteUse('kafka', KAFKA_VERSION);
  return {
    broker,
    ca,
    superUser,
    get pid() {
      return server.pid;
    },
    restart,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Without any warning, as a machine that is switched off. The process is the broker's guard, which ends after it. */
function killChildren(guard: number | undefined): void {
  const children = readFileSync(`/proc/${guard}/task/${guard}/children`, 'utf8').trim().split(' ').map(Number);
  for (const pid of children) {
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('kafka.Kafka')) process.kill(pid, 'SIGKILL');
  }
}

/** Makes the storage folder, and in it the super user. */
async function format(java: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(java, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output = `${output}${chunk}`.slice(-20_000);
  });
  await new Promise<void>((resolve, reject) => {
    const fail = (reason: string): void =>
      reject(new RealStackError('start_failed', `Kafka's storage could not be made: ${reason}`));
    child.once('error', (error) => fail(error.message));
    child.once('close', (code) => {
      if (code === 0) return resolve();
      // The tool repeats its arguments where they are wrong, and one of them is a password.
      const line = output.split('\n').find((one) => /exception|error/i.test(one) && !one.includes('password'));
      fail(line?.trim() ?? `exit ${code}`);
    });
  });
}
