import { type handleServerStreamingCall, type handleUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import { ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';
import type { HealthCheckRequest, HealthCheckResponse, ServingStatus } from './health-message.ts';

/** The name by which probes ask for the registry itself; the empty name asks for the server. */
const SERVICE_NAME = ServiceRegistryService.register.path.split('/')[1] ?? '';

type WatchCall = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/** The standard health service of gRPC: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
export class HealthService {
  readonly #watching = new Map<WatchCall, ServingStatus>();
  #serving: ServingStatus = 'NOT_SERVING';

  readonly check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = (call, callback) => {
    if (!isKnown(call.request.service)) callback({ code: status.NOT_FOUND, details: 'There is no such service here' });
    else callback(null, { status: this.#serving });
  };

  readonly watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    const stop = (): void => void this.#watching.delete(call);
    call.once('cancelled', stop).once('close', stop).once('error', stop);
    if (isKnown(call.request.service)) this.#watching.set(call, this.#serving);
    call.write({ status: isKnown(call.request.service) ? this.#serving : 'SERVICE_UNKNOWN' });
  };

  /** Tells everyone who watches when the state has changed. */
  set(serving: boolean): void {
    this.#serving = serving ? 'SERVING' : 'NOT_SERVING';
    for (const [call, told] of this.#watching) {
      if (told === this.#serving) continue;
      this.#watching.set(call, this.#serving);
      call.write({ status: this.#serving });
    }
  }

  /** Ends the streams. */
  close(): void {
    this.set(false);
    for (const call of this.#watching.keys()) call.end();
    this.#watching.clear();
  }
}

function isKnown(service: string): boolean {
  return service === '' || service === SERVICE_NAME;
}
