import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@neural-hive/security/common';

export interface TlsReloader {
  /** Looks once; whether the server was told. */
  check(): boolean;
}

export interface TlsReloaderOptions {
  /** With `tls.crt` and `tls.key`. */
  readonly folder: string;
  /** Tells the server. */
  readonly hangUp: () => void;
  readonly log: (line: string) => void;
}

/** Tells the server when its certificate has been replaced by one that fits its key. */
export function tlsReloader({ folder, hangUp, log }: TlsReloaderOptions): TlsReloader {
  let served = fingerprintOf(folder);
  return {
    check() {
      try {
        const found = fingerprintOf(folder);
        if (found === served) return false;
        const [certificate, key] = read(folder);
        const leaf = new X509Certificate(certificate);
        if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new RangeError('the key is of another certificate');
        hangUp();
        served = found;
        log(`the server was told of the certificate ${leaf.serialNumber}, which ends ${leaf.validTo}`);
        return true;
      } catch (error) {
        log(`the certificate was not reloaded: ${messageOf(error)}`);
        return false;
      }
    },
  };
}

function read(folder: string): readonly [Buffer, Buffer] {
  return [readFileSync(join(folder, 'tls.crt')), readFileSync(join(folder, 'tls.key'))];
}

/** Undefined while the files cannot be read: then any that can be is new. */
function fingerprintOf(folder: string): string {
  const hash = createHash('sha256');
  for (const part of read(folder)) hash.update(part).update('\0');
  return hash.digest('hex');
}
