import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { MethodDefinition } from '@grpc/grpc-js';

/** `grpc.health.v1.HealthCheckResponse.ServingStatus` */
export const SERVING_STATUS = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
export type ServingStatus = keyof typeof SERVING_STATUS;

export interface HealthCheckRequest {
  /** Empty for the server as a whole. */
  readonly service: string;
}

export interface HealthCheckResponse {
  readonly status: ServingStatus;
}

function decodeRequest(bytes: Buffer): HealthCheckRequest {
  const reader = new BinaryReader(bytes);
  let service = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) service = reader.string();
    else reader.skip(wireType, field);
  }
  return { service };
}

function decodeResponse(bytes: Buffer): HealthCheckResponse {
  const reader = new BinaryReader(bytes);
  let code = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) code = reader.int32();
    else reader.skip(wireType, field);
  }
  const names = Object.keys(SERVING_STATUS) as ServingStatus[];
  return { status: names.find((name) => SERVING_STATUS[name] === code) ?? 'SERVICE_UNKNOWN' };
}

const codec = {
  requestSerialize: ({ service }: HealthCheckRequest): Buffer =>
    Buffer.from(service === '' ? [] : new BinaryWriter().uint32(10).string(service).finish()),
  requestDeserialize: decodeRequest,
  responseSerialize: ({ status }: HealthCheckResponse): Buffer =>
    Buffer.from(new BinaryWriter().uint32(8).int32(SERVING_STATUS[status]).finish()),
  responseDeserialize: decodeResponse,
};

/** The two methods of `grpc.health.v1.Health`. */
export const HEALTH_SERVICE = {
  check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...codec },
  watch: { path: '/grpc.health.v1.Health/Watch', requestStream: false, responseStream: true, ...codec },
} as const satisfies Record<string, MethodDefinition<HealthCheckRequest, HealthCheckResponse>>;
