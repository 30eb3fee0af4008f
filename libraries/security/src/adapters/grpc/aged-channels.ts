import {
  Channel,
  type ChannelCredentials,
  type ChannelInterface,
  type ChannelOptions,
  connectivityState,
  status,
} from '@grpc/grpc-js';
import type { Timer } from '../../common/index.ts';
import { ageLimit, type ConnectionAge } from '../../tls/index.ts';

type Call = ReturnType<ChannelInterface['createCall']>;
type StartCall = Call['start'];

/**
 * Channels whose connections are never older than `maxAgeMs`: a client's option `channelFactoryOverride`. Before that
 * a new connection is made, with the SVID of the moment; once it is ready new calls take it, and calls that run end on
 * the old one. When no new one can be made, the old is given up at the end of the grace.
 * @throws RangeError for an age or a grace that cannot be
 */
export function agedChannels(
  age: ConnectionAge,
): (target: string, credentials: ChannelCredentials, options: ChannelOptions) => ChannelInterface {
  const limit = ageLimit(age);
  return (target, credentials, options) =>
    // Otherwise the new channel would be given the connection of the old one.
    new AgedChannel(() => new Channel(target, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 }), limit);
}

/** A channel and the calls that run on it. */
interface Generation {
  readonly channel: Channel;
  readonly calls: Set<Call>;
}

class AgedChannel implements ChannelInterface {
  readonly #create: () => Channel;
  readonly #limit: ReturnType<typeof ageLimit>;
  readonly #retired = new Map<Generation, Timer>();
  #current: Generation;
  #age: Timer;
  /** What is to take over from `#current`, while it connects. */
  #next: Generation | undefined;

  constructor(create: () => Channel, limit: ReturnType<typeof ageLimit>) {
    this.#create = create;
    this.#limit = limit;
    this.#current = { channel: create(), calls: new Set() };
    this.#age = this.#follow(this.#current);
  }

  #follow(generation: Generation): Timer {
    return this.#limit({
      retire: () => {
        this.#next = { channel: this.#create(), calls: new Set() };
        this.#replaceWhenReady(generation, this.#next);
      },
      destroy: () => {
        if (this.#current === generation && this.#next !== undefined) this.#replace(generation, this.#next);
        for (const call of generation.calls) call.cancelWithStatus(status.UNAVAILABLE, 'The connection grew too old');
        this.#end(generation);
      },
    });
  }

  #replaceWhenReady(old: Generation, next: Generation): void {
    const state = next.channel.getConnectivityState(true);
    // Where nothing was connected, there is nothing to keep until the new one is.
    const idle = old.channel.getConnectivityState(false) === connectivityState.IDLE;
    if (idle || state === connectivityState.READY) this.#replace(old, next);
    else if (state !== connectivityState.SHUTDOWN)
      next.channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => this.#replaceWhenReady(old, next));
  }

  #replace(old: Generation, next: Generation): void {
    if (this.#current !== old) return;
    this.#retired.set(old, this.#age);
    this.#current = next;
    this.#next = undefined;
    this.#age = this.#follow(next);
    this.#endIfDone(old);
  }

  #endIfDone(generation: Generation): void {
    if (this.#retired.has(generation) && generation.calls.size === 0) this.#end(generation);
  }

  #end(generation: Generation): void {
    this.#retired.get(generation)?.cancel();
    if (this.#retired.delete(generation)) generation.channel.close();
  }

  createCall(...request: Parameters<ChannelInterface['createCall']>): Call {
    const generation = this.#current;
    const call = generation.channel.createCall(...request);
    const start: StartCall = call.start.bind(call);
    generation.calls.add(call);
    call.start = (metadata, listener) =>
      start(metadata, {
        onReceiveMetadata: (received) => listener.onReceiveMetadata(received),
        onReceiveMessage: (message) => listener.onReceiveMessage(message),
        onReceiveStatus: (received) => {
          generation.calls.delete(call);
          listener.onReceiveStatus(received);
          this.#endIfDone(generation);
        },
      });
    return call;
  }

  close(): void {
    this.#age.cancel();
    this.#next?.channel.close();
    for (const generation of [...this.#retired.keys()]) this.#end(generation);
    this.#current.channel.close();
  }

  getTarget(): string {
    return this.#current.channel.getTarget();
  }

  getConnectivityState(tryToConnect: boolean): connectivityState {
    return this.#current.channel.getConnectivityState(tryToConnect);
  }

  watchConnectivityState(...request: Parameters<ChannelInterface['watchConnectivityState']>): void {
    this.#current.channel.watchConnectivityState(...request);
  }

  getChannelzRef(): ReturnType<ChannelInterface['getChannelzRef']> {
    return this.#current.channel.getChannelzRef();
  }
}
