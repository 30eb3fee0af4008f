import { setTimeout as delay } from 'node:timers/promises';
import { VAULT_MOUNTS } from '@neural-hive/contracts';
import type { ManagementClient } from '../client/management-client.ts';
import { EXIT, Failure } from '../failure.ts';
import type { Output } from '../output.ts';
import { type Platform, SERVICE_IDENTITIES } from '../platform/platform.ts';
import { rotationTotals } from './report.ts';

interface Options {
  readonly platform: Platform;
  readonly services: readonly ManagementClient[];
  readonly output: Output;
}

/** One round after the other, every credential that is held for long gets a new generation. */
export async function rotateEverything({
  platform,
  services,
  rounds,
  output,
  signal,
}: Options & { rounds: number; signal: AbortSignal }): Promise<void> {
  for (let round = 1; round <= rounds; round += 1) {
    for (const service of services) {
      for (const { name, kind } of await service.credentials()) {
        signal.throwIfAborted();
        const rotate = rotationOf(platform, service, name, kind);
        if (rotate !== undefined) {
          await output.step(`${round}. rotation of ${service.service} ${name}`, async () => {
            if (!(await rotate())) throw new Failure(EXIT.fellShort, `${service.service} ${name} could not be rotated`);
          });
        }
      }
    }
    for (const { name, rotate } of platform.ownRotations) {
      signal.throwIfAborted();
      await output.step(`${round}. rotation of ${name}`, rotate);
    }
  }
}

/** Each kind is rotated by the one who may: the service itself, the writer of the KV entry, or the SPIFFE authority. */
function rotationOf(
  platform: Platform,
  service: ManagementClient,
  name: string,
  kind: string,
): (() => Promise<boolean>) | undefined {
  if (kind === 'database' || kind === 'vault-token') return () => service.rotate(name);
  const short = shortName(service);
  if (kind === 'kv') {
    const replace = platform.kvRotation(name.slice(`${VAULT_MOUNTS.kv}/`.length));
    return replace && (() => replace(() => service.rotate(name)));
  }
  // What a driver uses the certificate for: its connections are made anew.
  if (name.startsWith('x509-svid/')) return () => service.rotate(name);
  if (kind === 'x509-svid') {
    return async () => {
      await service.expectChange(name);
      const before = (await service.report()).rotations.length;
      await platform.rotateX509(SERVICE_IDENTITIES[short]);
      return changed(service, before);
    };
  }
  return undefined;
}

function shortName(service: ManagementClient): keyof typeof SERVICE_IDENTITIES {
  const names = {
    'orchestrator-dynamic': 'orchestrator',
    'worker-agents': 'worker',
    'service-registry': 'registry',
  } as const;
  return names[service.service as keyof typeof names];
}

/** Beyond the time that the service waits for enough operations. */
const CHANGE_LIMIT_MS = 60_000;
const POLL_MS = 100;

/** Whether the service recorded another rotation in time. */
async function changed(service: ManagementClient, before: number): Promise<boolean> {
  for (const endMs = performance.now() + CHANGE_LIMIT_MS; performance.now() < endMs; await delay(POLL_MS)) {
    if ((await service.report()).rotations.length > before) return true;
  }
  return false;
}

/** A login lives 90 s and is replaced before, so at least one due rotation falls into this time. */
const DUE_LIMIT_MS = 100_000;
const DUE_POLL_MS = 500;

/** Keeps the readers going until a credential was rotated because it was due. */
export async function awaitDueRotation(options: Omit<Options, 'platform'> & { signal: AbortSignal }): Promise<void> {
  const { services, output, signal } = options;
  const due = async (): Promise<number> =>
    rotationTotals(await Promise.all(services.map((service) => service.report()))).due;
  if ((await due()) > 0) return;
  await output.step('Waiting for a rotation that is due by itself', async () => {
    for (
      const endMs = performance.now() + DUE_LIMIT_MS;
      performance.now() < endMs;
      await delay(DUE_POLL_MS, undefined, { signal })
    ) {
      if ((await due()) > 0) return;
    }
    throw new Failure(EXIT.fellShort, 'No credential was rotated by itself within 100 s');
  });
}
