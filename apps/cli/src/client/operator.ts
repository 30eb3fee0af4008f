import { X509Source } from '@neural-hive/security/spiffe';
import { environmentFailure } from '../failure.ts';
import { OrchestratorClient } from './orchestrator-client.ts';
import { findPlatform, type PlatformState } from './platform-state.ts';

export interface Operator {
  readonly platform: PlatformState;
  readonly identity: X509Source;
  readonly orchestrator: OrchestratorClient;
}

/** Works as `/operator` on the running platform, with an identity fetched for this one command. */
export async function asOperator<T>(data: string | undefined, work: (operator: Operator) => Promise<T>): Promise<T> {
  const platform = findPlatform(data);
  const identity = await operatorIdentity(platform.operatorSocket);
  const orchestrator = new OrchestratorClient({ identity, port: platform.orchestrator.port });
  try {
    return await work({ platform, identity, orchestrator });
  } finally {
    await orchestrator.close();
    await identity.close();
  }
}

export async function operatorIdentity(socket: string): Promise<X509Source> {
  try {
    return await X509Source.open({ endpoint: `unix://${socket}` });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw environmentFailure(`The operator's identity cannot be fetched: ${reason}`, error);
  }
}
