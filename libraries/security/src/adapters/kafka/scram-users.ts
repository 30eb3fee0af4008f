import { randomBytes } from 'node:crypto';
import { type Clock, sleep, systemClock } from '../../common/index.ts';
import type { UserAdmin } from '../../credentials/index.ts';
import { assertAccepted, copyAcls, deleteAcls } from './acls.ts';
import { type BrokerAddress, BrokerConnection } from './broker-connection.ts';
import { KafkaError } from './kafka-error.ts';
import type { KafkaLogin } from './login.ts';
import { saltPassword } from './scram.ts';

const DESCRIBE = { key: 50, version: 0, flexible: true } as const;
const ALTER = { key: 51, version: 0, flexible: true } as const;
const SCRAM_SHA_512 = 2;
const RESOURCE_NOT_FOUND = 91;
/** A broker learns of a new user from the controller a little later. */
const FIRST_LOGIN = { limitMs: 15_000, pauseMs: 50 } as const;

export interface KafkaScramUsersOptions extends BrokerAddress {
  /** Of a user that may alter SCRAM credentials and ACLs of the cluster. Read at each call. */
  readonly login: () => KafkaLogin | Promise<KafkaLogin>;
  /** Of the new passwords, from 4 096; default 8 192. */
  readonly iterations?: number;
  readonly clock?: Clock;
}

/** Makes, deletes and lists SCRAM-SHA-512 users. */
export interface KafkaScramUsers extends UserAdmin {
  list(options?: { readonly signal?: AbortSignal }): Promise<string[]>;
}

/**
 * The SCRAM users of a cluster, for `rotateKvUser`. A new user gets the ACLs of the one it replaces, and counts as made
 * once a broker lets it in. The password itself is not sent: the broker gets what it stores (KIP-554).
 */
export function kafkaScramUsers(options: KafkaScramUsersOptions): KafkaScramUsers {
  const { login, iterations = 8_192, clock = systemClock } = options;
  if (!Number.isInteger(iterations) || iterations < 4_096) throw new RangeError('iterations: must be 4096 or more');
  const connect = async (signal?: AbortSignal) => BrokerConnection.open(options, await login(), signal);

  return {
    async createUser(created, { previous, signal }) {
      const { username, password } = created;
      const salt = randomBytes(32);
      const salted = await saltPassword(password.reveal(), salt, iterations);
      await using connection = await connect(signal);
      if (previous !== undefined) await copyAcls(connection, previous, username);
      await connection.call(
        ALTER,
        (body) =>
          body
            .compactArray([], () => undefined)
            .compactArray([username], (name) => {
              body.compactString(name).int8(SCRAM_SHA_512).int32(iterations);
              body.compactBytes(salt).compactBytes(salted).noTags();
            })
            .noTags(),
        (answer) => {
          answer.int32();
          answer.compactArray(() => {
            answer.compactString();
            assertAccepted(answer, `Creating the Kafka user ${username}`);
            answer.skipTags();
          });
        },
      );
      await untilAccepted(options, created, clock, signal);
    },

    async deleteUser(username, { signal }) {
      await using connection = await connect(signal);
      await connection.call(
        ALTER,
        (body) =>
          body
            .compactArray([username], (name) => void body.compactString(name).int8(SCRAM_SHA_512).noTags())
            .compactArray([], () => undefined)
            .noTags(),
        (answer) => {
          answer.int32();
          answer.compactArray(() => {
            answer.compactString();
            assertAccepted(answer, `Deleting the Kafka user ${username}`, RESOURCE_NOT_FOUND);
            answer.skipTags();
          });
        },
      );
      await deleteAcls(connection, username);
    },

    async list({ signal } = {}) {
      await using connection = await connect(signal);
      return await connection.call(
        DESCRIBE,
        // A null list asks for all.
        (body) => body.varint(0).noTags(),
        (answer) => {
          answer.int32();
          assertAccepted(answer, 'Listing the Kafka users');
          return answer.compactArray(() => {
            const name = answer.compactString();
            assertAccepted(answer, `Reading the Kafka user ${name}`);
            answer.compactArray(() => {
              answer.int8();
              answer.int32();
              answer.skipTags();
            });
            answer.skipTags();
            return name;
          });
        },
      );
    },
  };
}

async function untilAccepted(
  address: BrokerAddress,
  login: KafkaLogin,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const endMs = clock.now() + FIRST_LOGIN.limitMs;
  for (;;) {
    try {
      await using _ = await BrokerConnection.open(address, login, signal);
      return;
    } catch (error) {
      const mayCome = error instanceof KafkaError && error.code === 'login-refused' && clock.now() < endMs;
      if (!mayCome) throw error;
    }
    await sleep(FIRST_LOGIN.pauseMs, { clock, signal });
  }
}
