import { ConfigError } from '@neural-hive/service-runtime';
import { describe, expect, test } from 'vitest';
import { orchestratorConfig } from './config.ts';

const embedded = { POSTGRES_HOST: '/run/pg', SERVICE_REGISTRY_HOST: 'localhost' };
const production = {
  ...embedded,
  ORCHESTRATOR_ENGINE: 'temporal',
  TEMPORAL_HOST: 'temporal.example',
  MONGODB_URI: 'mongodb://a.example,b.example/?tls=true&replicaSet=r',
  KAFKA_BOOTSTRAP_SERVERS: 'kafka.example:9093',
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    orchestratorConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

describe('the settings of the production engine', () => {
  test('are read where it was chosen, with the names of the original system', () => {
    expect(orchestratorConfig(embedded).production).toBeUndefined();
    expect(orchestratorConfig(production).production).toMatchObject({
      temporal: { address: 'temporal.example:7233', namespace: 'default', taskQueue: 'orchestrator-dynamic' },
      mongodb: { uri: production.MONGODB_URI, database: 'neural_hive_orchestration', credentials: 'kv' },
      kafka: { brokers: ['kafka.example:9093'], groupId: 'orchestrator-dynamic' },
    });
  });

  test('are all required at once where it was chosen', () => {
    const problems = problemsOf({ ...embedded, ORCHESTRATOR_ENGINE: 'temporal' });
    expect(problems.map((line) => line.split(':')[0])).toEqual([
      'TEMPORAL_HOST',
      'MONGODB_URI',
      'KAFKA_BOOTSTRAP_SERVERS',
    ]);
  });

  test('say that the engine decides how tickets travel', () => {
    expect(problemsOf({ ...production, TICKET_TRANSPORT: 'kafka' })).toEqual([]);
    expect(problemsOf({ ...production, TICKET_TRANSPORT: 'postgres' })).toEqual([
      'TICKET_TRANSPORT: must be kafka: ORCHESTRATOR_ENGINE is temporal',
    ]);
    expect(problemsOf({ ...embedded, TICKET_TRANSPORT: 'kafka' })).toEqual([
      'TICKET_TRANSPORT: must be postgres: ORCHESTRATOR_ENGINE is postgres',
    ]);
  });

  test.each([
    ['a login', 'mongodb://user:very-secret@a.example/?tls=true', 'must hold no login'],
    ['no TLS', 'mongodb://a.example/', 'must have tls=true'],
    ['TLS that is switched off', 'mongodb+srv://a.example/?tls=false', 'must have tls=true'],
    ['another scheme', 'https://a.example/', 'must begin with mongodb://'],
  ])('refuse a MONGODB_URI with %s, without showing it', (_, uri, expected) => {
    const problems = problemsOf({ ...production, MONGODB_URI: uri });
    expect(problems).toEqual([expect.stringContaining(expected)]);
    expect(problems.join()).not.toContain('very-secret');
  });

  test('refuse Temporal without TLS', () => {
    expect(problemsOf({ ...production, TEMPORAL_TLS_ENABLED: 'false' })).toHaveLength(1);
    expect(problemsOf({ ...production, TEMPORAL_TLS_ENABLED: 'true' })).toEqual([]);
  });
});
