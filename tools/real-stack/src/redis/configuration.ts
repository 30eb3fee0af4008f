import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Secret } from '@neural-hive/security/common';
import { CertificateAuthority } from '@neural-hive/security/testing';

export interface RedisFiles {
  readonly configFile: string;
  readonly caFile: string;
}

const PRIVATE = { mode: 0o600 };
const DAY_SECONDS = 86_400;

/**
 * Writes what a server with TLS only and one administrator needs. The password reaches it as a hash in the ACL file,
 * never by a command line.
 */
export function writeRedisFiles(
  folder: string,
  options: { readonly port: number; readonly username: string; readonly password: Secret<string> },
): RedisFiles {
  const { port, username, password } = options;
  const authority = CertificateAuthority.create('redis.test');
  const issued = authority.issueTlsCertificate({
    ipAddresses: ['127.0.0.1'],
    dnsNames: ['localhost'],
    ttlSeconds: DAY_SECONDS,
  });
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, PRIVATE);
    return path;
  };
  const caFile = write('ca.pem', authority.certificatePem);
  const certFile = write('server.pem', issued.certificateChainPem);
  const keyFile = write('server.key', issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const hash = createHash('sha256').update(password.reveal()).digest('hex');
  const aclFile = write('users.acl', `user default off\nuser ${username} on #${hash} ~* &* +@all\n`);
  const settings = {
    bind: '127.0.0.1',
    port: 0,
    'tls-port': port,
    'tls-cert-file': certFile,
    'tls-key-file': keyFile,
    'tls-ca-cert-file': caFile,
    'tls-auth-clients': 'no',
    aclfile: aclFile,
    dir: folder,
    daemonize: 'no',
    // In memory only.
    save: '""',
    appendonly: 'no',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  return { caFile, configFile: write('redis.conf', lines.join('')) };
}
