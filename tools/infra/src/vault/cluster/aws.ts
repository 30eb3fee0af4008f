import { Agent } from 'node:https';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { MotoServer } from '@neural-hive/real-stack';

/** The SDK warns of Node 20 in the middle of the output; what runs here is not what the image runs on. */
const QUIET = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';

/** What Terraform makes and an operator looks at, on the emulator. */
export class Account {
  readonly #secrets: SecretsManagerClient;
  readonly #objects: S3Client;
  readonly #moto: MotoServer;

  constructor(moto: MotoServer) {
    const { endpoint, region, ca, credentials } = moto;
    const options = {
      endpoint,
      region,
      credentials: {
        accessKeyId: credentials.accessKeyId,
        secretAccessKey: credentials.secretAccessKey.reveal(),
      },
      requestHandler: { httpsAgent: new Agent({ ca }) },
    };
    process.env[QUIET] ??= 'true';
    this.#moto = moto;
    this.#secrets = new SecretsManagerClient(options);
    this.#objects = new S3Client({ ...options, forcePathStyle: true });
  }

  /** For a program of the chart: the identity that its service account's role would give it. */
  get environment(): Readonly<Record<string, string>> {
    const { credentials, caFile } = this.#moto;
    return {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey.reveal(),
      NODE_EXTRA_CA_CERTS: caFile,
      [QUIET]: 'true',
    };
  }

  async createSecret(name: string): Promise<void> {
    await this.#secrets.send(new CreateSecretCommand({ Name: name }));
  }

  async readSecret(name: string): Promise<Readonly<Record<string, unknown>>> {
    const { SecretString } = await this.#secrets.send(new GetSecretValueCommand({ SecretId: name }));
    return JSON.parse(SecretString ?? '{}') as Record<string, unknown>;
  }

  async createBucket(name: string): Promise<void> {
    const location = { LocationConstraint: this.#moto.region as 'eu-central-1' };
    await this.#objects.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: location }));
  }

  async listObjects(bucket: string, prefix: string): Promise<readonly string[]> {
    const { Contents = [] } = await this.#objects.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    return Contents.map(({ Key = '' }) => Key);
  }

  async readObject(bucket: string, key: string): Promise<Buffer> {
    const { Body } = await this.#objects.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  close(): void {
    this.#secrets.destroy();
    this.#objects.destroy();
  }
}
