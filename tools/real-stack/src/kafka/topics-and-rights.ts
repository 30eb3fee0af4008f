import { setTimeout as delay } from 'node:timers/promises';
import kafkajs, { type Admin } from 'kafkajs';

// It is a CommonJS module whose names Node does not find by itself.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

/** What a service's user may do with a topic or a group. */
export interface KafkaUserRight {
  readonly resource: 'topic' | 'group';
  readonly name: string;
  readonly operation: 'READ' | 'WRITE';
}

export interface TopicsAndRights {
  readonly topics: readonly { readonly name: string; readonly retentionMs: number; readonly partitions: number }[];
  /** By service. */
  readonly rights: Readonly<Record<string, readonly KafkaUserRight[]>>;
  /** What the topics take. Default: the broker's own default. */
  readonly maxMessageBytes?: number | undefined;
}

const KNOWN_LIMIT_MS = 60_000;

/** Has a service's rights, which its users get; nobody logs in as it. */
export function kafkaTemplateUser(service: string): string {
  return `template-${service}`;
}

/** Makes the topics, and the rights of each service's template user; resolves when the broker knows them. */
export async function makeTopicsAndRights(admin: Admin, options: TopicsAndRights): Promise<void> {
  const { topics, rights, maxMessageBytes } = options;
  const large = maxMessageBytes === undefined ? [] : [{ name: 'max.message.bytes', value: String(maxMessageBytes) }];
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics.map(({ name: topic, retentionMs, partitions: numPartitions }) => ({
      topic,
      numPartitions,
      configEntries: [{ name: 'retention.ms', value: String(retentionMs) }, ...large],
    })),
  });
  const acl = Object.entries(rights).flatMap(([service, some]) => some.map((right) => ruleOf(service, right)));
  await admin.createAcls({ acl });
  await untilKnown(admin, acl.length);
}

function ruleOf(service: string, { resource, name, operation }: KafkaUserRight) {
  return {
    principal: `User:${kafkaTemplateUser(service)}`,
    host: '*',
    permissionType: AclPermissionTypes.ALLOW,
    operation: AclOperationTypes[operation],
    resourceType: resource === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
    resourceName: name,
    resourcePatternType: ResourcePatternTypes.LITERAL,
  };
}

/** What the controller has taken reaches the broker a moment later, and users copy what the broker knows. */
async function untilKnown(admin: Admin, count: number): Promise<void> {
  const every = {
    resourceType: AclResourceTypes.ANY,
    resourcePatternType: ResourcePatternTypes.ANY,
    operation: AclOperationTypes.ANY,
    permissionType: AclPermissionTypes.ANY,
  };
  const startMs = performance.now();
  for (;;) {
    const { resources } = await admin.describeAcls(every);
    if (resources.reduce((sum, { acls }) => sum + acls.length, 0) >= count) return;
    if (performance.now() - startMs > KNOWN_LIMIT_MS) throw new Error('the broker does not know its ACLs in time');
    await delay(100);
  }
}
