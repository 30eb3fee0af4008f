import {
  DerReader,
  decodeBase64,
  decodeBase64Url,
  parseDurationMs,
  parseExactJson,
  parsePem,
  parseStrictJson,
  splitDer,
} from '@neural-hive/security/encoding';
import {
  encodeSpiffeBundle,
  endpointTarget,
  parseBundleMap,
  parseJwtBundle,
  parseJwtSvidInsecure,
  parseSpiffeBundle,
  parseX509Bundle,
  parseX509Svid,
  parseX509SvidPem,
  SpiffeId,
  TrustDomain,
  verifyJwtSvid,
  verifyX509Svid,
} from '@neural-hive/security/spiffe';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { changed } from './inputs.ts';
import type { FuzzTarget } from './run.ts';

const CONSTRUCTED = 0x20;
const MAX_ELEMENTS = 1000;
const text = (input: Uint8Array): string => Buffer.from(input).toString('latin1');
const home = TrustDomain.parse('example.org');
const id = 'spiffe://example.org/ns/prod/sa/api';

export function targets(): readonly FuzzTarget[] {
  const authority = CertificateAuthority.create('example.org');
  const below = authority.issueIntermediate({ commonName: 'below', ttlSeconds: 86_400 });
  const issued = below.issueX509Svid({ id, ttlSeconds: 86_400, dnsNames: ['api.example.org'] });
  const [leaf = new Uint8Array(), intermediate = new Uint8Array()] = issued.certificates;
  const privateKey = issued.privateKey.export({ format: 'der', type: 'pkcs8' });
  const privateKeyPem = issued.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const bundle = authority.bundle();
  const [anchor = new Uint8Array()] = bundle.authorities;
  const x509Bundles = { getX509Bundle: () => bundle };
  const jwtBundle = authority.jwtBundle();
  const jwtBundles = { getJwtBundle: () => jwtBundle };
  const token = authority.issueJwtSvid({ id, audience: 'me', ttlSeconds: 86_400, issuer: 'https://example.org' });
  const document = encodeSpiffeBundle({
    trustDomain: home,
    sequence: 7n,
    refreshHintSeconds: 300,
    x509: bundle,
    jwt: jwtBundle,
    ignored: [],
  });
  const jwt = { bundles: jwtBundles, audience: 'me' };
  const [header = '', payload = ''] = token.split('.').map((part) => text(Buffer.from(part, 'base64url')));
  const json = ['{"a":[1,-2.5e3,true,null,"x\\u0041"],"b":{"c":"d"}}', '[18446744073709551615]', header, payload];
  const asToken = (input: Uint8Array, part: 0 | 1): string => {
    const parts = token.split('.');
    parts[part] = Buffer.from(input).toString('base64url');
    return parts.join('.');
  };

  return [
    { name: 'SPIFFE ID', inputs: changed(id, 'spiffe://a', 'SPIFFE://A.b/c'), run: (input) => parseIds(text(input)) },
    {
      name: 'endpoint',
      inputs: changed('unix:///run/agent.sock', 'unix:/a', 'tcp://127.0.0.1:8081', 'tcp://[::1]:80'),
      run: (input) => readEndpoint(text(input)),
    },
    { name: 'DER', inputs: changed(leaf, anchor, privateKey), run: walk },
    { name: 'concatenated DER', inputs: changed(leaf, anchor, privateKey), run: (input) => splitDer(input, 16) },
    {
      name: 'PEM',
      inputs: changed(issued.certificateChainPem, privateKeyPem),
      run: (input) => parsePem(text(input)),
    },
    { name: 'base64url', inputs: changed(token, 'AA', 'AAA'), run: (input) => decodeBase64Url(text(input)) },
    { name: 'base64', inputs: changed('AA==', 'AAA=', 'AAAA'), run: (input) => decodeBase64(text(input)) },
    { name: 'strict JSON', inputs: changed(...json), run: (input) => parseStrictJson(input) },
    { name: 'strict JSON from text', inputs: changed(...json), run: (input) => parseStrictJson(text(input)) },
    { name: 'exact JSON', inputs: changed(...json), run: (input) => parseExactJson(input) },
    {
      name: 'duration',
      inputs: changed('1h30m', '1.5h', '300ms', '2h45m30.5s'),
      run: (input) => parseDurationMs(text(input)),
    },
    {
      name: 'certificate',
      inputs: changed(leaf),
      run: (input) => verifyX509Svid([input, intermediate], x509Bundles),
    },
    {
      name: 'intermediate',
      inputs: changed(intermediate, anchor),
      run: (input) => verifyX509Svid([leaf, input], x509Bundles),
    },
    {
      name: 'X509-SVID',
      inputs: changed(Buffer.concat([leaf, intermediate]), leaf),
      run: (certificates) => parseX509Svid({ certificates, privateKey }),
    },
    {
      name: 'private key',
      inputs: changed(privateKey),
      run: (input) => parseX509Svid({ certificates: leaf, privateKey: input }),
    },
    {
      name: 'X509-SVID from PEM',
      inputs: changed(issued.certificateChainPem),
      run: (input) => parseX509SvidPem(text(input), privateKeyPem),
    },
    { name: 'X.509 bundle', inputs: changed(anchor), run: (input) => parseX509Bundle(home, input) },
    {
      name: 'JWT bundle',
      inputs: changed(authority.jwks(), '{"keys":[]}'),
      run: (input) => parseJwtBundle(home, input),
    },
    { name: 'JWT-SVID', inputs: changed(token), run: (input) => verifyJwtSvid(text(input), jwt) },
    { name: 'JWT-SVID header', inputs: changed(header), run: (input) => verifyJwtSvid(asToken(input, 0), jwt) },
    { name: 'JWT-SVID claims', inputs: changed(payload), run: (input) => parseJwtSvidInsecure(asToken(input, 1)) },
    { name: 'SPIFFE bundle', inputs: changed(document), run: (input) => parseSpiffeBundle(home, input) },
    {
      name: 'bundle map',
      inputs: changed(`{"trust_domains":{"example.org":${document}}}`),
      run: (input) => parseBundleMap(input),
    },
  ];
}

/** An endpoint is an argument: a socket path that is too long is a RangeError, as documented. */
function readEndpoint(input: string): void {
  try {
    endpointTarget(input);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

function parseIds(input: string): void {
  SpiffeId.parse(input, { normalizeCase: true });
  SpiffeId.parse(input);
}

/** Reads every element, those inside others too. */
function walk(input: Uint8Array): void {
  const readers = [new DerReader(input)];
  for (let count = 0; readers.length > 0 && count < MAX_ELEMENTS; count += 1) {
    const reader = readers.pop();
    if (reader === undefined || reader.done) continue;
    const { tag, content } = reader.read('element');
    readers.push(reader);
    if ((tag & CONSTRUCTED) !== 0) readers.push(new DerReader(content));
  }
}
