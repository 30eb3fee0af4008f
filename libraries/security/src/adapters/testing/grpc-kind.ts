import { Client, Server, type ServerUnaryCall } from '@grpc/grpc-js';
import { agedChannels } from '../grpc/aged-channels.ts';
import { spiffeChannelCredentials } from '../grpc/channel-credentials.ts';
import { listenSpiffe } from '../grpc/listen-spiffe.ts';
import { peerInterceptor, peerOf } from '../grpc/peer-interceptor.ts';
import { ECHO } from '../grpc/testing/echo-service.ts';
import { NOBODY, type TlsKind } from './tls-kind.ts';

/** grpc-js repeats a call that a closing connection refused once by itself, and no second time. */
const RETRIES = JSON.stringify({
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.02s',
        maxBackoff: '0.2s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
});

export const GRPC: TlsKind = {
  name: 'grpc-js',
  alpn: 'h2',
  clientAges: true,
  async serve({ maxAgeMs, maxAgeGraceMs, ...options }) {
    const server = new Server({
      interceptors: [peerInterceptor],
      ...(maxAgeMs === undefined ? {} : { 'grpc.max_connection_age_ms': maxAgeMs }),
      ...(maxAgeGraceMs === undefined ? {} : { 'grpc.max_connection_age_grace_ms': maxAgeGraceMs }),
    });
    server.addService(
      { say: ECHO },
      {
        say: (call: ServerUnaryCall<string, string>, callback: (error: null, value: string) => void) =>
          callback(null, String(peerOf(call) ?? NOBODY)),
      },
    );
    const listener = await listenSpiffe(server, { ...options, host: '127.0.0.1', port: 0 });
    return {
      port: listener.port,
      close: async () => {
        await listener.destroy();
        server.forceShutdown();
      },
    };
  },
  caller({ host, port, ...options }) {
    const client = new Client(`${host}:${port}`, spiffeChannelCredentials(options), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.service_config': RETRIES,
      ...(options.maxAgeMs === undefined ? {} : { channelFactoryOverride: agedChannels(options) }),
    });
    return {
      ask: () =>
        new Promise((resolve, reject) => {
          const { path, requestSerialize, responseDeserialize } = ECHO;
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, 'who am I?', (error, value) =>
            error === null ? resolve(value ?? '') : reject(error),
          );
        }),
      close: () => client.close(),
    };
  },
};
