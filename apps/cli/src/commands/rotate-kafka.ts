import { KafkaError, kafkaScramUsers, parseKafkaLogin } from '@neural-hive/security/kafka';
import type { Output } from '../output.ts';
import { problemsOf, type RotateOptions, readGiven, refuse, rotate } from './rotate.ts';

export interface RotateKafkaOptions extends RotateOptions {
  readonly broker: readonly string[];
  readonly ca?: string;
}

/** Replaces the Kafka user that a KV entry names by another. */
export async function rotateKafka(options: RotateKafkaOptions, output: Output): Promise<number> {
  const problems = problemsOf(options);
  if (options.broker.length === 0) problems.push('--broker HOST:PORT is needed, once at least');
  for (const broker of options.broker) if (!/.:\d+$/.test(broker)) problems.push(`--broker ${broker}: not HOST:PORT`);
  refuse(problems);
  const tls = options.ca === undefined ? {} : { ca: readGiven('--ca', options.ca) };
  return rotate(options, output, {
    openUsers: async (vault) => {
      const login = async () => parseKafkaLogin((await vault.kv(options.mount).read(options.adminPath ?? '')).data);
      return { users: kafkaScramUsers({ brokers: options.broker, tls, login }), close: async () => undefined };
    },
    kindOf(error) {
      if (!(error instanceof KafkaError)) return undefined;
      return error.code === 'login-refused' || error.code === 'refused' ? 'refused' : 'environment';
    },
  });
}
