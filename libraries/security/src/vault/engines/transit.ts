import { Secret } from '../../common/index.ts';
import { VaultError } from '../errors.ts';
import type { EngineContext } from './context.ts';

interface WithSignal {
  readonly signal?: AbortSignal | undefined;
}

/** Text is taken as UTF-8. */
export type TransitInput = string | Uint8Array;

export interface TransitKeyOptions extends WithSignal {
  /** Which version of the key; default the newest. */
  readonly keyVersion?: number;
}

export interface TransitCipherOptions extends TransitKeyOptions {
  /** What the ciphertext is bound to: decrypting needs the same. For keys of the AEAD kinds. */
  readonly associatedData?: TransitInput;
  /** From which a derived key is derived. */
  readonly context?: TransitInput;
}

export interface TransitSignOptions extends TransitKeyOptions {
  /** Default `sha2-256`. Ed25519 keys have a hash of their own. */
  readonly hash?: 'sha2-224' | 'sha2-256' | 'sha2-384' | 'sha2-512';
  /** The input is a digest already. Default false. */
  readonly prehashed?: boolean;
  /** For RSA keys; default `pss`. */
  readonly signatureAlgorithm?: 'pss' | 'pkcs1v15';
  readonly context?: TransitInput;
}

export interface TransitKeySettings {
  /** For instance `aes256-gcm96` (the server's default), `chacha20-poly1305`, `ed25519`, `ecdsa-p256`, `rsa-2048`. */
  readonly type?: string;
  /** Whether each call derives a key of its own from its `context`. Default false. */
  readonly derived?: boolean;
}

export interface TransitKey {
  readonly type: string;
  readonly latestVersion: number;
  readonly minDecryptionVersion: number;
  readonly minEncryptionVersion: number;
  readonly deletionAllowed: boolean;
}

/** The transit engine: keys stay on the server, data passes through. Ciphertexts and signatures are text, `vault:v1:…`. */
export interface TransitEngine {
  /** Makes a key; does nothing when there is one of this name. */
  createKey(key: string, settings?: TransitKeySettings & WithSignal): Promise<void>;
  key(key: string, options?: WithSignal): Promise<TransitKey>;
  configureKey(key: string, settings: Partial<Omit<TransitKey, 'type' | 'latestVersion'>> & WithSignal): Promise<void>;
  /** Only for a key whose `deletionAllowed` is set. */
  deleteKey(key: string, options?: WithSignal): Promise<void>;
  /** Makes a new version, which encrypts and signs from now on; the older ones still decrypt and verify. */
  rotate(key: string, options?: WithSignal): Promise<void>;
  encrypt(key: string, plaintext: TransitInput, options?: TransitCipherOptions): Promise<string>;
  decrypt(key: string, ciphertext: string, options?: Omit<TransitCipherOptions, 'keyVersion'>): Promise<Secret<Buffer>>;
  /** Encrypts with the newest version what an older one encrypted; nobody sees the plaintext. */
  rewrap(key: string, ciphertext: string, options?: TransitCipherOptions): Promise<string>;
  sign(key: string, input: TransitInput, options?: TransitSignOptions): Promise<string>;
  verify(
    key: string,
    input: TransitInput,
    signature: string,
    options?: Omit<TransitSignOptions, 'keyVersion'>,
  ): Promise<boolean>;
  hmac(
    key: string,
    input: TransitInput,
    options?: TransitKeyOptions & Pick<TransitSignOptions, 'hash'>,
  ): Promise<string>;
  verifyHmac(
    key: string,
    input: TransitInput,
    hmac: string,
    options?: WithSignal & Pick<TransitSignOptions, 'hash'>,
  ): Promise<boolean>;
}

type Json = Readonly<Record<string, unknown>>;

function base64(input: TransitInput): string {
  return Buffer.from(input as Uint8Array).toString('base64');
}

function text(data: Json, field: string): string {
  const value = data[field];
  if (typeof value === 'string') return value;
  throw new VaultError('bad-response', `Asking the transit engine: the answer has no ${field}`);
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function cipherFields({ keyVersion, associatedData, context }: TransitCipherOptions): Json {
  return {
    ...(keyVersion !== undefined && { key_version: keyVersion }),
    ...(associatedData !== undefined && { associated_data: base64(associatedData) }),
    ...(context !== undefined && { context: base64(context) }),
  };
}

function signFields({ keyVersion, hash, prehashed, signatureAlgorithm, context }: TransitSignOptions): Json {
  return {
    ...(keyVersion !== undefined && { key_version: keyVersion }),
    ...(hash !== undefined && { hash_algorithm: hash }),
    ...(prehashed !== undefined && { prehashed }),
    ...(signatureAlgorithm !== undefined && { signature_algorithm: signatureAlgorithm }),
    ...(context !== undefined && { context: base64(context) }),
  };
}

export function transitEngine({ call }: EngineContext, mount: string): TransitEngine {
  /** What it computes may be computed twice. */
  const compute = async (verb: string, key: string, body: Json, signal: AbortSignal | undefined): Promise<Json> => {
    const path = `${mount}/${verb}/${key}`;
    return (await call({ method: 'POST', path, body, operation: `transit.${verb}`, safe: true, signal })).data;
  };
  const verified = async (key: string, body: Json, signal: AbortSignal | undefined): Promise<boolean> => {
    const { valid } = await compute('verify', key, body, signal);
    if (typeof valid !== 'boolean') {
      throw new VaultError('bad-response', 'Asking the transit engine: the answer has no valid');
    }
    return valid;
  };
  return {
    async createKey(key, { type, derived, signal } = {}) {
      const body = { ...(type !== undefined && { type }), ...(derived !== undefined && { derived }) };
      const path = `${mount}/keys/${key}`;
      await call({ method: 'POST', path, body, operation: 'transit.create-key', safe: true, signal });
    },
    async key(key, { signal } = {}) {
      const path = `${mount}/keys/${key}`;
      const { data } = await call({ method: 'GET', path, operation: 'transit.key', signal });
      return {
        type: text(data, 'type'),
        latestVersion: number(data.latest_version),
        minDecryptionVersion: number(data.min_decryption_version),
        minEncryptionVersion: number(data.min_encryption_version),
        deletionAllowed: data.deletion_allowed === true,
      };
    },
    async configureKey(key, { minDecryptionVersion, minEncryptionVersion, deletionAllowed, signal }) {
      const body = {
        ...(minDecryptionVersion !== undefined && { min_decryption_version: minDecryptionVersion }),
        ...(minEncryptionVersion !== undefined && { min_encryption_version: minEncryptionVersion }),
        ...(deletionAllowed !== undefined && { deletion_allowed: deletionAllowed }),
      };
      const path = `${mount}/keys/${key}/config`;
      await call({ method: 'POST', path, body, operation: 'transit.configure-key', safe: true, signal });
    },
    async deleteKey(key, { signal } = {}) {
      const path = `${mount}/keys/${key}`;
      await call({ method: 'DELETE', path, operation: 'transit.delete-key', safe: true, signal });
    },
    async rotate(key, { signal } = {}) {
      // Twice would make two versions, which is harmless but wasteful: not after a lost answer.
      const path = `${mount}/keys/${key}/rotate`;
      await call({ method: 'POST', path, operation: 'transit.rotate', safe: false, signal });
    },
    async encrypt(key, plaintext, options = {}) {
      const body = { plaintext: base64(plaintext), ...cipherFields(options) };
      return text(await compute('encrypt', key, body, options.signal), 'ciphertext');
    },
    async decrypt(key, ciphertext, options = {}) {
      const data = await compute('decrypt', key, { ciphertext, ...cipherFields(options) }, options.signal);
      return new Secret(Buffer.from(text(data, 'plaintext'), 'base64'));
    },
    async rewrap(key, ciphertext, options = {}) {
      const data = await compute('rewrap', key, { ciphertext, ...cipherFields(options) }, options.signal);
      return text(data, 'ciphertext');
    },
    async sign(key, input, options = {}) {
      const body = { input: base64(input), ...signFields(options) };
      return text(await compute('sign', key, body, options.signal), 'signature');
    },
    verify: (key, input, signature, options = {}) =>
      verified(key, { input: base64(input), signature, ...signFields(options) }, options.signal),
    async hmac(key, input, { hash, keyVersion, signal } = {}) {
      const body = {
        input: base64(input),
        ...(hash !== undefined && { algorithm: hash }),
        ...(keyVersion !== undefined && { key_version: keyVersion }),
      };
      return text(await compute('hmac', key, body, signal), 'hmac');
    },
    verifyHmac: (key, input, hmac, { hash, signal } = {}) =>
      verified(key, { input: base64(input), hmac, ...(hash !== undefined && { algorithm: hash }) }, signal),
  };
}
