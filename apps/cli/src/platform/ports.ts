import { createServer } from 'node:net';
import { environmentFailure } from '../failure.ts';

export const DEFAULT_PORTS = {
  vault: 8200,
  registry: 50051,
  orchestrator: 8000,
  orchestratorManagement: 8001,
  workerManagement: 8081,
  registryManagement: 8082,
  orchestratorMetrics: 9090,
  workerMetrics: 9091,
  registryMetrics: 9092,
} as const;

export type PortName = keyof typeof DEFAULT_PORTS;
export type Ports = Readonly<Record<PortName, number>>;

/** `HIVE_PORT_BASE` moves all of them: the n-th port is then base + n. */
export function choosePorts(env: NodeJS.ProcessEnv): Ports {
  const base = env.HIVE_PORT_BASE;
  if (base === undefined) return DEFAULT_PORTS;
  const first = Number(base);
  if (!Number.isInteger(first) || first < 1024 || first > 65_000) {
    throw environmentFailure(`HIVE_PORT_BASE is ${base}; it must be a whole number from 1024 to 65000.`);
  }
  const names = Object.keys(DEFAULT_PORTS) as PortName[];
  return Object.fromEntries(names.map((name, index) => [name, first + index])) as Record<PortName, number>;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1', exclusive: true }, resolve);
    });
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Fails with one line when a port is taken, before anything is started. */
export async function requireFreePorts(ports: Ports): Promise<void> {
  const taken: string[] = [];
  for (const [name, port] of Object.entries(ports)) if (!(await isFree(port))) taken.push(`${port} (${name})`);
  if (taken.length === 0) return;
  throw environmentFailure(
    `Taken already: port ${taken.join(', ')}. Stop what listens there, or set HIVE_PORT_BASE to use other ports.`,
  );
}
