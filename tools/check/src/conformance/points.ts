/** One rule of the SPIFFE specification, in our own words. */
export interface Point {
  /** What tests call it. The point is met when each of its ids is proven. */
  readonly ids: readonly [string, ...string[]];
  readonly level: 'must' | 'should' | 'may';
  readonly rule: string;
  /** Why it is not met on purpose. */
  readonly unmet?: string;
}

export interface Chapter {
  readonly title: string;
  readonly points: readonly Point[];
}

/** Of the specification that the points were read from. */
export const SPECIFICATION_COMMIT = '665a28f';

const must = (id: string, rule: string): Point => ({ ids: [id], level: 'must', rule });
const should = (id: string, rule: string): Point => ({ ids: [id], level: 'should', rule });
const may = (id: string, rule: string): Point => ({ ids: [id], level: 'may', rule });

const BROKER =
  'No agent serves the Broker API yet, and its documents are incubating: there is nothing to be tested with.';

/** The register: 114 points, in the order of the documents. */
export const CHAPTERS: readonly Chapter[] = [
  {
    title: 'SPIFFE IDs (SPIFFE-ID)',
    points: [
      must('ID-01', 'The scheme is `spiffe`; there is neither query nor fragment.'),
      must('ID-02', 'The trust domain is not empty.'),
      must('ID-03', 'There is neither user information nor port.'),
      must('ID-04', 'A trust domain is lower case, of `a-z 0-9 . - _`, without percent-encoding.'),
      must('ID-05', 'A trust domain is not judged as a DNS name or an address.'),
      must('ID-06', 'The path has no percent-encoding.'),
      must('ID-07', 'No path segment is empty, `.` or `..`.'),
      must('ID-08', 'The path does not end with a slash.'),
      must('ID-09', 'A segment is of `a-z A-Z 0-9 . - _`.'),
      must('ID-10', 'IDs of 2048 bytes are supported and longer ones never made.'),
      must('ID-11', 'A trust domain has at most 255 bytes.'),
      must('ID-12', 'Scheme and trust domain compare without regard to case, paths with regard to it.'),
      must('ID-13', 'Only an authority of its own trust domain makes an SVID valid, and the ID is in the signed part.'),
      should('ID-14', 'The ID of an authority has no path and is of its own trust domain.'),
      must('ID-15', 'Only X.509, JWT and WIT documents are SVIDs.'),
    ],
  },
  {
    title: 'X509-SVIDs (X509-SVID)',
    points: [
      must('X-01', 'A leaf has exactly one URI name.'),
      must('X-02', 'Names of other kinds may stand beside it.'),
      must('X-03', 'The ID of a leaf has a path.'),
      must('X-04', 'An empty subject with a critical alternative name is accepted.'),
      must('X-05', 'An authority has cA and keyCertSign; it may limit the path and sign revocation lists.'),
      must('X-06', 'The ID of an authority, where there is one, has no path and is of the trust domain it signs for.'),
      must('X-07', 'The certificate of an authority never authenticates a workload.'),
      must('X-08', 'A leaf has no cA.'),
      must('X-09', 'A leaf may sign neither certificates nor revocation lists.'),
      must('X-10', 'Key usage is present and critical; a leaf makes digital signatures.'),
      must('X-11', 'An extended key usage names both server and client authentication.'),
      may('X-12', 'Name constraints are processed or refused, never ignored.'),
      must('X-13', 'The whole path is validated as RFC 5280 says.'),
      must('X-14', 'The one URI name is of scheme `spiffe`.'),
      must('X-15', 'A bundle entry that is published has use x509-svid, no kid and exactly one certificate.'),
      must(
        'X-16',
        'An entry without certificates is left out, only its first certificate counts, and the bundle is the union.',
      ),
      must('X-17', 'A trust domain without X.509 entries has no valid X509-SVID.'),
    ],
  },
  {
    title: 'JWT-SVIDs (JWT-SVID)',
    points: [
      must('J-01', 'Only the compact form is accepted.'),
      must('J-02', 'Only alg, kid and typ are issued; critical headers are refused.'),
      must('J-03', 'The algorithm is one of nine, and is judged before anything else.'),
      must('J-04', 'A token without kid is valid.'),
      must('J-05', 'The type is absent, JWT or JOSE.'),
      must('J-06', 'The subject is a SPIFFE ID.'),
      must('J-07', 'The audience is present and names the verifier, which must have one.'),
      must('J-08', 'The audience is a text or a list of texts.'),
      must('J-09', 'The end is present, a number and not past.'),
      must('J-10', 'A beginning in the future is refused; an issue time in the future alone is not.'),
      must('J-11', 'Type and curve of the key fit the algorithm.'),
      may('J-12', 'Unknown claims are kept and ignored.'),
      { ids: ['J-13', 'J-14'], level: 'should', rule: 'HTTP and gRPC carry the token as `authorization: Bearer`.' },
      must('J-15', 'A bundle entry that is published has use jwt-svid and a kid.'),
      must('J-16', 'Only JWT keys are used; without one no JWT-SVID of the trust domain is valid.'),
      {
        ids: ['J-17', 'J-18', 'J-19'],
        level: 'should',
        rule: 'No replay list is needed, one audience is best, and tokens travel over confidential links only.',
      },
    ],
  },
  {
    title: 'Workload endpoint (SPIFFE_Workload_Endpoint)',
    points: [
      must('E-01', 'gRPC over a Unix socket or TCP, without TLS.'),
      must('E-02', 'Every call carries `workload.spiffe.io: true`, once.'),
      must('E-03', 'The server refuses a call without it as InvalidArgument.'),
      must('E-04', 'Without configuration SPIFFE_ENDPOINT_SOCKET is used, and no other default.'),
      must('E-05', 'The scheme is unix or tcp.'),
      must('E-06', 'A unix endpoint is an absolute path and nothing else.'),
      must('E-07', 'A tcp endpoint is an IP address and a port and nothing else.'),
      should('E-08', 'InvalidArgument is reported and not tried again.'),
      should('E-09', 'An agent that cannot be reached is tried again with backoff.'),
      should('E-10', 'PermissionDenied is tried again with backoff.'),
      should('E-11', 'Unimplemented is reported and not tried again.'),
      must('E-12', 'The server asks the client for no credentials.'),
      must('E-13', 'No server reflection is needed, and the service is not extended.'),
    ],
  },
  {
    title: 'Workload API (SPIFFE_Workload_API)',
    points: [
      must('W-01', 'The service has no package; X.509 and JWT profiles are there, WIT is optional.'),
      should('W-02', 'The stream stays open and is opened again at once when it ends.'),
      must('W-03', 'Each message is the whole state; nothing is merged.'),
      should('W-04', 'What is absent is redacted.'),
      must('W-05', 'The first message comes without delay.'),
      should('W-06', 'A message that lacks a mandatory field is reported and discarded.'),
      should('W-07', 'The server refuses such a request as InvalidArgument.'),
      must('W-08', "The peer's trust domain chooses the bundle; own and foreign are treated alike."),
      must('W-09', 'X509-SVID messages: one or more, DER, leaf first, PKCS#8, all fields but the hint.'),
      should('W-10', 'Of two SVIDs with the same hint the first counts.'),
      should('W-11', 'After redaction or PermissionDenied the material is no longer used.'),
      must('W-12', 'A bundle serves its own kind of SVID and no other.'),
      must('W-13', 'FetchX509Bundles holds the own trust domain; revocation lists are optional.'),
      must(
        'W-14',
        'JWT-SVID calls: an audience is mandatory, the ID optional, and a denial is never answered from a cache.',
      ),
      must('W-15', 'JWT bundles are JWK sets by trust domain ID, without keys of other uses.'),
      must('W-16', 'A token is validated by the agent or locally, with the bundle of its own trust domain.'),
      must('W-17', 'A WIT call that is unimplemented ends, and is not tried again.'),
      must('W-18', 'WIT messages: a private JWK beside the token, bundles as text, a kid in every JWK.'),
      must('W-19', 'The first SVID is the default identity, and the order is kept.'),
      should('W-20', 'A hint has at most 1024 bytes; what a missing one means is for the workload to say.'),
      may('W-21', 'Backoff is exponential, and final codes end the watch.'),
    ],
  },
  {
    title: 'Bundles (SPIFFE_Trust_Domain_and_Bundle)',
    points: [
      must('B-01', 'Unknown parameters are ignored and never required.'),
      must('B-02', 'The sequence number is an integer of 64 bits that only grows.'),
      must('B-03', 'The refresh hint is an integer of seconds, and only a hint.'),
      must('B-04', 'The keys are present; they may be none.'),
      must('B-05', 'An entry of unknown type or use is left out alone.'),
      must('B-06', 'Without usable keys every SVID of the trust domain is invalid.'),
      must('B-07', 'The name of the trust domain is kept beside the bundle and never inferred.'),
      should('B-08', 'No undefined parameters are published.'),
      must('B-09', 'A bundle map names each trust domain once and is taken in whole or not at all.'),
      should('B-10', 'Without a hint the refresh interval is about five minutes.'),
    ],
  },
  {
    title: 'Federation (SPIFFE_Federation)',
    points: [
      must('F-01', 'URL, profile and trust domain are told, never inferred from each other.'),
      must('F-02', 'Both profiles are supported.'),
      must('F-03', 'The URL is https without user information.'),
      must('F-04', 'https_web: the certificate is checked by name against the local roots.'),
      must('F-05', 'https_spiffe: the server shows an X509-SVID with exactly the configured ID.'),
      must(
        'F-06',
        'A self-serving endpoint is authenticated with its latest bundle, any other with that of its trust domain.',
      ),
      must('F-07', 'Redirects are followed under the same rules, each time from the configured URL.'),
      must('F-08', 'The server asks for no authentication and answers GET with the newest bundle.'),
      should('F-09', 'It is polled at the refresh hint; after a failure the next interval is waited for.'),
      should('F-10', 'The latest bundle is kept, compared by sequence number.'),
      must('F-11', 'Bundles of different trust domains are never merged.'),
      must('F-12', 'New keys are published before they are used and removed after their last SVID.'),
      {
        ids: ['F-13', 'F-14'],
        level: 'should',
        rule: 'The end of a relationship deletes the bundle and the polling; every fetch is logged.',
      },
    ],
  },
  {
    title: 'WIT-SVIDs (WIT-SVID, incubating)',
    points: [
      must(
        'T-01',
        'Compact form, a kid, type wit+jwt, one of nine algorithms; unknown headers are ignored unless critical.',
      ),
      must('T-02', 'A subject, a public confirmation key with its algorithm and an end; never an audience.'),
      must('T-03', 'Accepted only with proof of possession, never as a bearer token.'),
      must('T-04', 'Bundle entries have use wit-svid and a kid of their own; no other key is used.'),
    ],
  },
  {
    title: 'Broker (SPIFFE_Broker, incubating)',
    points: [
      must('K-01', 'Every call carries `broker.spiffe.io: true`; SPIFFE_BROKER_SOCKET is the fallback.'),
      must('K-02', 'Mutual TLS with X509-SVIDs on every transport.'),
      should('K-03', 'Each status code has its own answer: end, retry, refresh credentials, report.'),
      must('K-04', 'A request has exactly one reference to a workload.'),
      must('K-05', 'Workloads are kept apart and their material is dropped when they end.'),
    ].map((point) => ({ ...point, unmet: BROKER })),
  },
];

export const POINTS: readonly Point[] = CHAPTERS.flatMap(({ points }) => points);

/** How a point is called as a whole. */
export function nameOf({ ids }: Point): string {
  return ids.join(', ');
}
