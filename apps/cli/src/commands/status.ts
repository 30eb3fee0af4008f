import { ManagementClient } from '../client/management-client.ts';
import { asOperator } from '../client/operator.ts';
import { EXIT } from '../failure.ts';
import type { Output } from '../output.ts';
import { SERVICE_IDENTITIES } from '../platform/platform.ts';

/** Shows the services of the running platform and every credential each holds. */
export function status(options: { home?: string }, output: Output): Promise<number> {
  return asOperator(options.home, async ({ platform, identity }) => {
    const services = [];
    for (const name of ['orchestrator', 'worker', 'registry'] as const) {
      const client = new ManagementClient({
        identity,
        service: name,
        spiffeId: SERVICE_IDENTITIES[name],
        port: platform[name].management,
      });
      const credentials = await client.credentials();
      await client.close();
      services.push({ name, credentials });
      output.line(name);
      for (const { name: credential, kind, generation, ttlSeconds } of credentials) {
        const life = ttlSeconds === 0 ? 'no end of its own' : `lives ${Math.round(ttlSeconds)} s`;
        output.line(`  ${credential.padEnd(40)} ${kind.padEnd(12)} generation ${generation}, ${life}`);
      }
    }
    output.result({ pid: platform.pid, startedAtMs: platform.startedAtMs, services });
    return EXIT.ok;
  });
}
