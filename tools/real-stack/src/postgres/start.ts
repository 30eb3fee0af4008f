import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseRunAs, startPostgres } from '@neural-hive/embedded-postgres';
import { Secret } from '@neural-hive/security/common';
import { freePort } from '../free-port.ts';
import { writeLoopbackCertificate } from '../loopback-certificate.ts';

export interface StartTlsPostgresOptions {
  /** Default `postgres`. */
  readonly database?: string;
  /** Of the superuser. Default: a random one. */
  readonly password?: string;
  readonly log?: (line: string) => void;
}

/** A PostgreSQL that is reached over TCP, as a managed one is, and only with TLS and a SCRAM password. */
export interface TlsPostgres extends AsyncDisposable {
  readonly host: 'localhost';
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: Secret<string>;
  /** The authority of its certificate, which is for `localhost`. */
  readonly caFile: string;
  /** Idempotent. */
  stop(): Promise<void>;
}

const RULES = 'local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n';

/** Starts a throw-away server on a free port of the loopback address. It ends with this process, even when this is killed. */
export async function startTlsPostgres(options: StartTlsPostgresOptions = {}): Promise<TlsPostgres> {
  const { database = 'postgres', password, log } = options;
  const port = await freePort();
  // PostgreSQL runs as another user than root, who has to get at its certificate: a TMPDIR may be private.
  const folder = mkdtempSync('/tmp/pgtls-');
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const { uid, gid, switches } = chooseRunAs();
    const tls = writeLoopbackCertificate(folder, { name: 'postgres.test' });
    const rules = join(folder, 'pg_hba.conf');
    writeFileSync(rules, RULES, { mode: 0o600 });
    chmodSync(folder, 0o711);
    if (switches) for (const file of [tls.certificateFile, tls.keyFile, rules]) chownSync(file, uid, gid);
    const server = await startPostgres({
      port,
      database,
      settings: {
        listen_addresses: '127.0.0.1',
        ssl: 'on',
        ssl_cert_file: tls.certificateFile,
        ssl_key_file: tls.keyFile,
        hba_file: rules,
      },
      ...(password === undefined ? {} : { superuserPassword: password }),
      ...(log === undefined ? {} : { log }),
    });
    const stop = async (): Promise<void> => {
      await server.stop();
      clean();
    };
    const { user } = server.superuser;
    const login = { user, password: new Secret(server.superuser.password) };
    return { host: 'localhost', port, database, ...login, caFile: tls.caFile, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    clean();
    throw error;
  }
}
