import { NeuralHiveError } from '../../common/index.ts';

export type MongoUserErrorCode =
  /** No server could be reached that takes writes. */
  | 'unreachable'
  /** The server does not accept the login of whoever manages the users. */
  | 'login-refused'
  /** The server refused the request; the message has its reason. */
  | 'refused'
  /** There is no user whose roles could be copied. */
  | 'no-such-user';

/** Making or dropping a user of MongoDB failed. Never holds a password. */
export class MongoUserError extends NeuralHiveError<MongoUserErrorCode> {}
