import { deepEqual, equal, ok } from 'node:assert/strict';
import { at, listAt } from '../../manifests.ts';
import { changed, rewritten, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CHART_FILES } from '../chart-files.ts';
import {
  changedOfSet,
  environment,
  inConfig,
  listener,
  POD,
  podSpecs,
  seconds,
  serverSet,
  VAULT,
  withoutOfSet,
} from '../server-pod.ts';

const FOLDER = '/vault/userconfig/vault-tls';

/** What a server is called: by its services, by its peers, by itself. */
const NAMES = [
  'vault',
  'vault.vault',
  'vault.vault.svc',
  'vault.vault.svc.cluster.local',
  '*.vault-internal',
  '*.vault-internal.vault.svc.cluster.local',
  'vault-active.vault.svc',
  'vault-standby.vault.svc',
  'vault-ui.vault.svc',
  'localhost',
];

/** Points 17 to 21. */
export const TLS_RULES: readonly Rule[] = [
  {
    id: 'vault-17',
    what: 'the certificate has every name the servers are called by and is mounted where the configuration reads it',
    assert: (manifests) => {
      const certificate = manifests.get('Certificate', 'vault-tls');
      equal(at(certificate, 'spec.secretName'), 'vault-tls');
      const names = listAt(certificate, 'spec.dnsNames');
      for (const name of NAMES) ok(names.includes(name), `no name ${name}`);
      deepEqual(at(certificate, 'spec.ipAddresses'), ['127.0.0.1']);
      equal(at(serverSet(manifests), `${POD}.volumes.name=tls.secret.secretName`), 'vault-tls');
      equal(at(serverSet(manifests), `${VAULT}.volumeMounts.name=tls.mountPath`), FOLDER);
      for (const port of [8200, 8202]) {
        const { attributes } = listener(manifests, port).body;
        equal(attributes.tls_cert_file, `${FOLDER}/tls.crt`);
        equal(attributes.tls_key_file, `${FOLDER}/tls.key`);
      }
    },
    mutations: [
      withoutManifest('Certificate', 'vault-tls'),
      ...NAMES.map((name) =>
        changed('Certificate', 'vault-tls', 'spec.dnsNames', (names: unknown) =>
          (names as string[]).filter((found) => found !== name),
        ),
      ),
      without('Certificate', 'vault-tls', 'spec.ipAddresses'),
      withoutOfSet(`${VAULT}.volumeMounts.name=tls`),
      inConfig(/userconfig\/vault-tls\/tls.crt/, 'tls/tls.crt'),
    ],
  },
  {
    id: 'vault-18',
    what: 'TLS 1.2 at least, and client certificates are asked for on purpose',
    assert: (manifests) => {
      for (const port of [8200, 8202]) {
        const { attributes } = listener(manifests, port).body;
        equal(attributes.tls_min_version, 'tls12');
        equal(attributes.tls_disable_client_certs, false);
        equal(attributes.tls_disable, undefined);
      }
    },
    mutations: [
      inConfig(/tls_min_version = "tls12"/, ''),
      inConfig(/tls_min_version = "tls12"/, 'tls_min_version = "tls10"'),
      inConfig(/tls_disable_client_certs = false/, ''),
      inConfig(/tls_cert_file /, 'tls_disable = true\n      tls_cert_file '),
    ],
  },
  {
    id: 'vault-19',
    what: 'a renewed certificate is read while the server runs, and renewed long before its end',
    assert: (manifests) => {
      const reloader = at(serverSet(manifests), `${POD}.containers.name=tls-reloader`);
      const args = listAt(reloader, 'args');
      equal(args[0], 'reload-tls');
      ok(args.includes(`--folder=${FOLDER}`), 'it watches another folder');
      equal(at(reloader, 'volumeMounts.name=tls.mountPath'), FOLDER);
      equal(at(serverSet(manifests), `${POD}.shareProcessNamespace`), true);
      const certificate = manifests.get('Certificate', 'vault-tls');
      ok(seconds(at(certificate, 'spec.renewBefore')) >= 3 * 86_400, 'renewBefore');
      ok(seconds(at(certificate, 'spec.duration')) >= 2 * seconds(at(certificate, 'spec.renewBefore')), 'duration');
      ok(/reload/i.test(String(manifests.at(CHART_FILES, 'vault', ['data', 'README.md']))), 'README.md');
    },
    mutations: [
      withoutOfSet(`${POD}.containers.name=tls-reloader`),
      withoutOfSet(`${POD}.containers.name=tls-reloader.volumeMounts`),
      changedOfSet(`${POD}.containers.name=tls-reloader.args`, ['reload-tls', '--folder=/tmp']),
      changed('Certificate', 'vault-tls', 'spec.renewBefore', '1h'),
      rewritten(CHART_FILES, 'vault', ['data', 'README.md'], /reload/gi, ''),
    ],
  },
  {
    id: 'vault-20',
    what: 'everybody verifies the servers’ certificate',
    assert: (manifests) => {
      equal(environment(at(serverSet(manifests), VAULT)).VAULT_CACERT, `${FOLDER}/ca.crt`);
      const text = JSON.stringify(manifests.all.filter(({ kind }) => kind !== CHART_FILES));
      ok(!/tls-skip-verify|SKIP_VERIFY|insecureSkipVerify|tls_skip_verify/.test(text), 'somebody skips verification');
      const [test] = podSpecs(manifests).filter(({ owner }) => owner.metadata.name === 'vault-test-status');
      equal(environment(at(test?.spec, 'containers.0')).VAULT_CACERT, `${FOLDER}/ca.crt`);
      const settings = String(manifests.at('ConfigMap', 'vault-operations', ['data', 'settings.json']));
      equal(at(JSON.parse(settings), 'cluster.ca'), `${FOLDER}/ca.crt`);
    },
    mutations: [
      withoutOfSet(`${VAULT}.env.name=VAULT_CACERT`),
      changedOfSet(`${VAULT}.env.name=VAULT_CACERT`, { name: 'VAULT_SKIP_VERIFY', value: 'true' }),
      without('Job', 'vault-test-status', `${POD}.containers.0.env.name=VAULT_CACERT`),
      changed('Job', 'vault-test-status', `${POD}.containers.0.args`, ['status', '-tls-skip-verify']),
      rewritten('ConfigMap', 'vault-operations', ['data', 'settings.json'], /"ca": "[^"]*",/, ''),
    ],
  },
  {
    id: 'vault-21',
    what: 'listeners take IPv4 and IPv6, requests have a limit, and no header is believed about the caller’s address',
    assert: (manifests) => {
      const { attributes } = listener(manifests, 8200).body;
      equal(attributes.cluster_address, '[::]:8201');
      equal(attributes.max_request_duration, '90s');
      equal(attributes.x_forwarded_for_authorized_addrs, undefined);
      equal(listener(manifests, 8202).body.attributes.max_request_duration, '10s');
    },
    mutations: [
      inConfig(/"\[::\]:8200"/, '"127.0.0.1:8200"'),
      inConfig(/cluster_address = "\[::\]:8201"/, ''),
      inConfig(/max_request_duration = "90s"/, ''),
      inConfig(
        /max_request_duration = "90s"/,
        'max_request_duration = "90s"\n x_forwarded_for_authorized_addrs = "0.0.0.0/0"',
      ),
    ],
  },
];
