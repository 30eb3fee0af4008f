import { messageOf, silentLogger } from '../../common/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { assertFallbackAdmitted } from './admission.ts';
import { FileSource, type FileSourceOptions } from './file-source.ts';

/**
 * Opens what talks to the agent and, only when no agent is there, the fallback. An agent that is there and refuses is
 * obeyed. The choice is made once: a program that should use an agent that came later is started again.
 * @param openAgent For example `() => X509Source.open()`; undefined when no endpoint is configured.
 * @throws SpiffeError `FALLBACK_REFUSED` outside the four environments, before the agent is asked; what `openAgent` and
 * `FileSource.open` throw
 */
export async function openWithFallback<Source>(
  openAgent: (() => Promise<Source>) | undefined,
  fallback: FileSourceOptions,
): Promise<Source | FileSource> {
  assertFallbackAdmitted(fallback.environment);
  const { logger = silentLogger } = fallback;
  if (openAgent === undefined) return FileSource.open(fallback);
  try {
    return await openAgent();
  } catch (error) {
    if (!isAgentAway(error)) throw error;
    logger.warn({ cause: messageOf(error) }, 'no SPIFFE agent is there; the fallback is tried');
    return FileSource.open(fallback);
  }
}

function isAgentAway(error: unknown): boolean {
  if (!(error instanceof SpiffeError)) return false;
  if (error.code === 'SOURCE_NOT_READY') return isAgentAway(error.cause);
  return error.code === 'WORKLOAD_API_UNAVAILABLE';
}
