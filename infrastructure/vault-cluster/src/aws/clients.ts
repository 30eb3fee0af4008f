import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

/** Region and identity come from the environment, as the service account's role puts them there. */
const RETRIES = { maxAttempts: 4, retryMode: 'standard' } as const;

export function secretsManager(): SecretsManagerClient {
  return new SecretsManagerClient(RETRIES);
}

/** By path where an endpoint is named: names of buckets are no hosts there. */
export function objectStore(env: NodeJS.ProcessEnv = process.env): S3Client {
  return new S3Client({ ...RETRIES, forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
}
