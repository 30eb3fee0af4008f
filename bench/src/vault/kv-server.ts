import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CertificateAuthority } from '@neural-hive/security/testing';

/** Answers every read like Vault's KV engine, in a process of its own so that only clients are measured. */
const authority = CertificateAuthority.create('bench.test');
const issued = authority.issueTlsCertificate({ ipAddresses: ['127.0.0.1'], dnsNames: ['localhost'], ttlSeconds: 3600 });
const envelope = {
  request_id: '7c9f1a52-0d0f-7c52-9a0b-64a15a6f7d3b',
  lease_id: '',
  renewable: false,
  lease_duration: 0,
};
const secret = JSON.stringify({
  ...envelope,
  data: {
    data: { username: 'service', password: 'a password of a usual length', uri: 'mongodb://db.example.org:27017/app' },
    metadata: {
      created_time: '2026-01-01T00:00:00.000000000Z',
      custom_metadata: null,
      deletion_time: '',
      destroyed: false,
      version: 3,
    },
  },
  wrap_info: null,
  warnings: null,
  auth: null,
});
const self = JSON.stringify({
  ...envelope,
  data: { accessor: 'a', ttl: 0, renewable: false, type: 'service', policies: ['root'] },
});

const server = createServer(
  { cert: issued.certificateChainPem, key: issued.privateKey.export({ type: 'pkcs8', format: 'pem' }) },
  ({ url }, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(url?.endsWith('/lookup-self') ? self : secret);
  },
);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, ca: authority.certificatePem })}\n`);
});
process.stdin.resume().once('end', () => process.exit(0));
