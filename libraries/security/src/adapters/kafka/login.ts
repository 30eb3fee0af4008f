import { parseLogin, type StoredLogin } from '../../credentials/index.ts';

/** What a Kafka connection authenticates with, by SCRAM-SHA-512. */
export type KafkaLogin = StoredLogin;

/** For `kvSecret`. @throws TypeError that names what is missing */
export const parseKafkaLogin = parseLogin;
