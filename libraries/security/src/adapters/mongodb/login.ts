import { parseLogin, type StoredLogin } from '../../credentials/index.ts';

/** What a client logs in with. */
export type MongoLogin = StoredLogin;

/** For `kvSecret`. @throws TypeError that names what is missing */
export const parseMongoLogin = parseLogin;
