import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { parseJwtBundle, SpiffeError, TrustDomain, verifyJwtSvid } from '../spiffe/index.ts';
import type { TestRunner } from './vault-contract/topic.ts';

/** A server of discovery documents, and who issues the tokens that its keys verify. */
export interface OidcDiscoveryTarget {
  /** `https://host:port` */
  readonly address: string;
  /** PEM. */
  readonly ca: string;
  readonly issuer: string;
  readonly trustDomain: string;
  /** A JWT-SVID for an audience. */
  fetchToken(audience: string): Promise<string>;
  close(): Promise<void>;
}

const AUDIENCE = 'registry.contract.test';
const DISCOVERY = '/.well-known/openid-configuration';
/** Members of a JWK that are secret: RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

type JsonWebKey = Readonly<Record<string, unknown>>;

/** What verifiers of tokens rely on: OpenID Connect Discovery 1.0 and RFC 7517, judged on a server. */
export function describeOidcDiscovery(
  open: () => Promise<OidcDiscoveryTarget>,
  { describe, test, beforeAll, afterAll }: TestRunner,
): void {
  describe('OIDC discovery', () => {
    let target: OidcDiscoveryTarget;
    beforeAll(async () => {
      target = await open();
    });
    afterAll(() => target?.close());

    const ask = (path: string, method = 'GET'): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const { address, ca } = target;
        const outgoing = request(new URL(path, address), { method, ca, agent: false }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          answer.on('error', reject);
          answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
        });
        outgoing.on('error', reject);
        outgoing.end();
      });
    const keys = async (): Promise<readonly JsonWebKey[]> =>
      (JSON.parse((await ask('/keys')).text) as { keys: readonly JsonWebKey[] }).keys;

    test('the document names the issuer of the tokens and where the keys are', async () => {
      const { status, headers, text } = await ask(DISCOVERY);
      assert.equal(status, 200);
      assert.match(headers['content-type'] ?? '', /^application\/json/);
      const document = JSON.parse(text) as Record<string, unknown>;
      assert.equal(document.issuer, target.issuer);
      assert.equal(document.jwks_uri, `${target.address}/keys`);
    });

    test('the document has every member that verifiers require', async () => {
      const document = JSON.parse((await ask(DISCOVERY)).text) as Record<string, unknown>;
      assert.equal(document.authorization_endpoint, '');
      assert.deepEqual(document.response_types_supported, ['id_token']);
      assert.deepEqual(document.subject_types_supported, ['public']);
      const algorithms = document.id_token_signing_alg_values_supported as readonly string[];
      assert.deepEqual([...algorithms].sort(), ['ES256', 'ES384', 'RS256']);
    });

    test('the keys are public, each with an id of its own', async () => {
      const { status, headers } = await ask('/keys');
      assert.equal(status, 200);
      assert.match(headers['content-type'] ?? '', /^application\/json/);
      assert.match(headers['cache-control'] ?? '', /no-store/);
      const served = await keys();
      assert.ok(served.length > 0);
      assert.equal(new Set(served.map(({ kid }) => kid)).size, served.length);
      for (const key of served) {
        assert.equal(typeof key.kid, 'string');
        assert.ok(key.kty === 'EC' || key.kty === 'RSA');
        for (const member of SECRET_MEMBERS) assert.ok(!(member in key), `the key shows its member ${member}`);
      }
    });

    test('a token is signed by one of them, and verifies with them alone', async () => {
      const token = await target.fetchToken(AUDIENCE);
      const { kid } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string };
      assert.ok((await keys()).some((key) => key.kid === kid));
      const bundle = parseJwtBundle(TrustDomain.parse(target.trustDomain), (await ask('/keys')).text);
      const rules = { audience: AUDIENCE, issuer: target.issuer };
      const verify = (served: typeof bundle) =>
        verifyJwtSvid(token, { ...rules, bundles: { getJwtBundle: () => served } });
      assert.equal(verify(bundle).id.trustDomain.name, target.trustDomain);
      assert.throws(
        () => verify({ ...bundle, keys: bundle.keys.filter((key) => key.kid !== kid) }),
        (error) => error instanceof SpiffeError && error.code === 'JWT_SIGNATURE_INVALID',
      );
    });

    test('nothing can be written', async () => {
      for (const path of [DISCOVERY, '/keys']) {
        assert.equal((await ask(path)).status, 200);
        for (const method of ['POST', 'PUT', 'DELETE']) assert.equal((await ask(path, method)).status, 405);
      }
    });
  });
}
