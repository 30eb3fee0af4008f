import { join } from 'node:path';

export interface KafkaPaths {
  readonly data: string;
  readonly properties: string;
  readonly formatArguments: string;
  readonly keyStore: string;
  readonly trustStore: string;
}

export function kafkaPaths(folder: string): KafkaPaths {
  return {
    data: join(folder, 'data'),
    properties: join(folder, 'server.properties'),
    formatArguments: join(folder, 'format.args'),
    keyStore: join(folder, 'broker.pem'),
    trustStore: join(folder, 'ca.pem'),
  };
}

export interface KafkaSettings {
  readonly ports: { readonly clients: number; readonly controller: number };
  readonly superUser: { readonly username: string; readonly password: string };
  /** How long a connection lives before it must authenticate again. In milliseconds. */
  readonly maxReauthMs: number;
}

/**
 * One node that is broker and controller. Clients come by SASL_SSL with SCRAM-SHA-512; the controller, whom SCRAM users
 * are only known to once it runs, by SASL_SSL with PLAIN. Nobody may do anything without an ACL.
 */
export function serverProperties({ ports, superUser, maxReauthMs }: KafkaSettings, paths: KafkaPaths): string {
  const { username, password } = superUser;
  const jaas = (module: string, extra = ''): string =>
    `org.apache.kafka.common.security.${module} required username="${username}" password="${password}"${extra};`;
  const properties: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'log.dirs': paths.data,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${ports.controller}`,
    listeners: `CLIENTS://127.0.0.1:${ports.clients},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `CLIENTS://127.0.0.1:${ports.clients},CONTROLLER://127.0.0.1:${ports.controller}`,
    'listener.security.protocol.map': 'CLIENTS:SASL_SSL,CONTROLLER:SASL_SSL',
    'inter.broker.listener.name': 'CLIENTS',
    'controller.listener.names': 'CONTROLLER',
    'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
    'sasl.mechanism.controller.protocol': 'PLAIN',
    'listener.name.clients.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'listener.name.clients.scram-sha-512.sasl.jaas.config': jaas('scram.ScramLoginModule'),
    'listener.name.clients.connections.max.reauth.ms': maxReauthMs,
    'listener.name.controller.sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.controller.plain.sasl.jaas.config': jaas(
      'plain.PlainLoginModule',
      ` user_${username}="${password}"`,
    ),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': paths.keyStore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': paths.trustStore,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': `User:${username}`,
    'allow.everyone.if.no.acl.found': 'false',
    'auto.create.topics.enable': 'false',
    // One node holds the only copy of everything.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // A test's group is complete with its first member.
    'group.initial.rebalance.delay.ms': 0,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.cleaner.dedupe.buffer.size': 10_485_760,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** The arguments of the storage tool, one a line: it reads them from a file, since a command line is public. */
export function formatArguments({ superUser }: KafkaSettings, paths: KafkaPaths, clusterId: string): string {
  const { username, password } = superUser;
  const scram = `SCRAM-SHA-512=[name=${username},password=${password}]`;
  const args = [
    'format',
    '--standalone',
    '--cluster-id',
    clusterId,
    '--config',
    paths.properties,
    '--add-scram',
    scram,
  ];
  return `${args.join('\n')}\n`;
}
