import {
  Client,
  credentials,
  type Interceptor,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { jwtSvidInterceptor, SpiffeAuthInterceptor } from '@neural-hive/security/grpc';
import { JwtVerifier } from '@neural-hive/security/spiffe';
import { concurrently } from '../cpu-time.ts';
import { type Result, resultOf } from '../result.ts';
import { AUDIENCE, ID, ISSUER, tokenSet } from './tokens.ts';

const METHOD = '/bench.Echo/Call';
const ROUNDS = 15;
const CALLS = 1000;
const WIDTH = 16;
const same = (bytes: Buffer): Buffer => bytes;

const service: ServiceDefinition = {
  call: {
    path: METHOD,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};

/** The same unary call with a JWT-SVID that client and server know already, and without one. */
export async function* grpcCallResults(): AsyncGenerator<Result> {
  const { bundles, at } = tokenSet('ES256');
  const options = { bundles, audience: AUDIENCE, issuer: ISSUER };
  const svid = new JwtVerifier(options).verify(at(0));
  const auth = new SpiffeAuthInterceptor({ ...options, methods: { [METHOD]: [ID] } });
  const guarded = await openEcho(
    new Server({ interceptors: [auth.interceptor] }),
    jwtSvidInterceptor({ fetchJwtSvid: async () => svid, cachedJwtSvid: () => svid }, AUDIENCE),
  );
  const open = await openEcho(new Server());
  const rounds: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  try {
    for (const echo of [guarded, open]) await echo.rate();
    for (let index = 0; index < ROUNDS; index += 1) {
      rounds.ours.push(await guarded.rate());
      rounds.peer.push(await open.rate());
    }
  } finally {
    for (const echo of [guarded, open]) echo.close();
  }
  yield resultOf('gRPC unary call with JWT-SVID / without', 'calls per second', rounds);
}

interface Echo {
  /** Calls per second. */
  rate(): Promise<number>;
  close(): void;
}

async function openEcho(server: Server, ...interceptors: readonly Interceptor[]): Promise<Echo> {
  server.addService(service, {
    call: (call: { request: Buffer }, answer: (error: null, reply: Buffer) => void) => answer(null, call.request),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors: [...interceptors] });
  const request = Buffer.from('a request of a usual size, more or less '.repeat(4));
  const call = (): Promise<unknown> =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest(METHOD, same, same, request, (error, reply) => (error ? reject(error) : resolve(reply))),
    );
  const batch = concurrently(WIDTH, call);
  return {
    async rate() {
      const startMs = performance.now();
      await batch(CALLS);
      return (CALLS * 1000) / (performance.now() - startMs);
    },
    close() {
      client.close();
      server.forceShutdown();
    },
  };
}
