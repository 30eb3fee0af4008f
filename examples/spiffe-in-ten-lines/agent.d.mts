export interface Agent {
  readonly endpoints: readonly string[];
  stop(): Promise<void>;
}

export function startAgent(ids: readonly string[], x509TtlSeconds: number): Promise<Agent>;
