import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Verdict } from '../compare.ts';
import type { BuiltCase, X509Case } from './case.ts';

/** `openssl verify` as a peer, with a folder for what it reads. */
export class OpenSsl {
  readonly #folder = mkdtempSync(join(tmpdir(), 'oracle-'));
  #next = 0;

  async verify({ anchor, leaf, shown }: BuiltCase, options: X509Case): Promise<Verdict> {
    const files = join(this.#folder, String(this.#next++));
    writeFileSync(`${files}.anchor`, pem([anchor]));
    writeFileSync(`${files}.leaf`, pem([leaf]));
    if (shown.length > 0) writeFileSync(`${files}.shown`, pem(shown));
    const { atSeconds, purpose, strict, authLevel } = options;
    const args = [
      // An anchor may be an intermediate authority, as X509-SVID allows.
      ...['verify', '-partial_chain', '-no-CApath', '-no-CAstore', '-CAfile', `${files}.anchor`],
      ...(strict ? ['-x509_strict'] : []),
      ...['-auth_level', String(authLevel), '-purpose', purpose, '-attime', String(atSeconds)],
      ...(shown.length > 0 ? ['-untrusted', `${files}.shown`] : []),
      `${files}.leaf`,
    ];
    try {
      return await run(args);
    } finally {
      for (const kind of ['anchor', 'leaf', 'shown']) rmSync(`${files}.${kind}`, { force: true });
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[]): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    execFile('openssl', args, (error, _stdout, stderr) => {
      // Only an exit code is a verdict.
      if (error !== null && typeof error.code !== 'number') reject(error);
      else if (error === null) resolve({ accepted: true, why: '' });
      else resolve({ accepted: false, why: /^error \d+ at \d+ depth.*$/m.exec(stderr)?.[0] ?? 'a file is unreadable' });
    });
  });
}

function pem(certificates: readonly Uint8Array[]): string {
  const block = (der: Uint8Array): string => {
    const lines =
      Buffer.from(der)
        .toString('base64')
        .match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  };
  return certificates.map(block).join('');
}
