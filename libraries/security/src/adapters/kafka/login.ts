import { Secret } from '../../common/index.ts';

/** What a Kafka connection authenticates with, by SCRAM-SHA-512. */
export interface KafkaLogin {
  readonly username: string;
  readonly password: Secret<string>;
}

/** For `kvSecret`: a login stored as `username` and `password`. @throws TypeError that names what is missing */
export function parseKafkaLogin(data: Readonly<Record<string, unknown>>): KafkaLogin {
  const text = (name: string): string => {
    const value = data[name];
    if (typeof value !== 'string' || value === '') throw new TypeError(`${name}: the KV entry must have it as a text`);
    return value;
  };
  return { username: text('username'), password: new Secret(text('password')) };
}
