import type { BrokerConnection } from './broker-connection.ts';
import { KafkaError } from './kafka-error.ts';
import type { WireReader, WireWriter } from './wire.ts';

const DESCRIBE = { key: 29, version: 2, flexible: true } as const;
const CREATE = { key: 30, version: 2, flexible: true } as const;
const DELETE = { key: 31, version: 2, flexible: true } as const;
/** Matches every resource type, pattern type, operation and permission in a filter. */
const ANY = 1;

/** One rule, in the numbers of the protocol: it is only ever copied. */
interface Acl {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly host: string;
  readonly operation: number;
  readonly permission: number;
}

function principalOf(username: string): string {
  return `User:${username}`;
}

function writeFilter(body: WireWriter, username: string): void {
  body.int8(ANY).compactString(null).int8(ANY).compactString(principalOf(username)).compactString(null);
  body.int8(ANY).int8(ANY).noTags();
}

/** @throws KafkaError `refused` unless the code says that all is well */
export function assertAccepted(answer: WireReader, what: string, tolerated?: number): void {
  const code = answer.int16();
  const reason = answer.compactString();
  if (code === 0 || code === tolerated) return;
  throw new KafkaError('refused', `${what}: ${reason === '' ? `the broker answers with error ${code}` : reason}`);
}

async function describeAcls(connection: BrokerConnection, username: string): Promise<Acl[]> {
  return connection.call(
    DESCRIBE,
    (body) => writeFilter(body, username),
    (answer) => {
      answer.int32();
      assertAccepted(answer, `Reading the ACLs of ${username}`);
      const resources = answer.compactArray(() => {
        const resource = {
          resourceType: answer.int8(),
          resourceName: answer.compactString(),
          patternType: answer.int8(),
        };
        const rules = answer.compactArray(() => {
          answer.compactString();
          const rule = { host: answer.compactString(), operation: answer.int8(), permission: answer.int8() };
          answer.skipTags();
          return { ...resource, ...rule };
        });
        answer.skipTags();
        return rules;
      });
      return resources.flat();
    },
  );
}

/** Gives `to` every rule that `from` has. */
export async function copyAcls(connection: BrokerConnection, from: string, to: string): Promise<void> {
  const acls = await describeAcls(connection, from);
  if (acls.length === 0) return;
  await connection.call(
    CREATE,
    (body) =>
      body
        .compactArray(acls, (acl) => {
          body.int8(acl.resourceType).compactString(acl.resourceName).int8(acl.patternType);
          body.compactString(principalOf(to)).compactString(acl.host).int8(acl.operation).int8(acl.permission).noTags();
        })
        .noTags(),
    (answer) => {
      answer.int32();
      answer.compactArray(() => {
        assertAccepted(answer, `Creating an ACL of ${to}`);
        answer.skipTags();
      });
    },
  );
}

/** Removes every rule of a user. */
export async function deleteAcls(connection: BrokerConnection, username: string): Promise<void> {
  await connection.call(
    DELETE,
    (body) => body.compactArray([username], (name) => writeFilter(body, name)).noTags(),
    (answer) => {
      answer.int32();
      // What matched follows; one error for the filter is enough to know.
      answer.varint();
      assertAccepted(answer, `Deleting the ACLs of ${username}`);
    },
  );
}
