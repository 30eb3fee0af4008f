import { AUDIENCES, SPIFFE_IDS } from '@neural-hive/contracts';
import { AgentType, RegisterRequest, ServiceRegistryClient } from '@neural-hive/contracts/proto/service-registry';
import { jwtSvidInterceptor, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { spiffeAgent } from '@neural-hive/security/http';
import { JwtSource, matchId, type X509Source } from '@neural-hive/security/spiffe';
import { request } from 'undici';
import type { PlatformState } from '../client/platform-state.ts';
import { EXIT, Failure } from '../failure.ts';
import type { Output } from '../output.ts';

/** Calls that have to be refused, made on purpose: a door is only worth something when somebody has tried it. */
export async function tryRefusedCallers(state: PlatformState, identity: X509Source, output: Output): Promise<void> {
  const jwt = await JwtSource.open({ endpoint: `unix://${state.operatorSocket}` });
  try {
    const audience = await wrongAudience(state, identity, jwt);
    output.line(`a token for Vault, shown to the orchestrator: ${audience}`);
    const method = await methodOfOthers(state, identity, jwt);
    output.line(`the operator, registering itself as a worker: ${method}`);
  } finally {
    await jwt.close();
  }
}

function mustBeRefused(refused: boolean, how: string): string {
  if (!refused) throw new Failure(EXIT.fellShort, `A caller that has to be refused was let in: ${how}`);
  return `refused (${how})`;
}

async function wrongAudience(state: PlatformState, identity: X509Source, jwt: JwtSource): Promise<string> {
  const agent = spiffeAgent({ identity, authorize: matchId(SPIFFE_IDS.orchestrator) });
  try {
    const { token } = await jwt.fetchJwtSvid({ audience: AUDIENCES.vault });
    const response = await request(`https://127.0.0.1:${state.orchestrator.port}/api/v1/plans`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${token.reveal()}` },
    });
    await response.body.dump();
    return mustBeRefused(response.statusCode === 401 || response.statusCode === 403, `HTTP ${response.statusCode}`);
  } finally {
    await agent.destroy();
  }
}

async function methodOfOthers(state: PlatformState, identity: X509Source, jwt: JwtSource): Promise<string> {
  const client = new ServiceRegistryClient(
    `127.0.0.1:${state.registry.port}`,
    spiffeChannelCredentials({ identity, authorize: matchId(SPIFFE_IDS.registry) }),
    { interceptors: [jwtSvidInterceptor(jwt, AUDIENCES.registry)] },
  );
  try {
    const wish = RegisterRequest.fromPartial({
      agentType: AgentType.WORKER,
      capabilities: ['BUILD'],
      instanceId: 'operator',
    });
    return await new Promise((resolve, reject) => {
      client.register(wish, (error) => {
        try {
          resolve(mustBeRefused(error !== null, error?.details ?? 'registered'));
        } catch (failure) {
          reject(failure);
        }
      });
    });
  } finally {
    client.close();
  }
}
