import type { Consumer, ConsumerConfig, ConsumerRunConfig } from 'kafkajs';
import { type Clock, systemClock } from '../../common/index.ts';
import {
  type CredentialConsumer,
  CredentialError,
  type DrainOptions,
  type Generation,
  type ResourceFactory,
  type RotatingCredential,
} from '../../credentials/index.ts';
import { type KafkaClient, kafkaClients, type RotatingKafkaConfig } from './kafkajs-client.ts';
import type { KafkaLogin } from './login.ts';
import { within } from './within.ts';

export interface RotatingConsumerOptions {
  readonly consumer: ConsumerConfig;
  /** By name: a pattern would subscribe to what somebody else creates. */
  readonly topics: readonly string[];
  /**
   * Where a partition begins that the group has no position of. Default true: with false, a message that comes while
   * the partition changes hands before its first commit would be skipped.
   */
  readonly fromBeginning?: boolean;
  readonly run: ConsumerRunConfig;
  /** How long a new member may wait for the others of its group. In milliseconds; default 60 000. */
  readonly joinTimeoutMs?: number;
  /** kafkajs gave up: the consumer is ended and is not started again before the next rotation. */
  readonly onCrash?: (error: Error) => void;
  readonly clock?: Clock;
}

/**
 * A member of a kafkajs consumer group that follows a rotating credential. The new member joins before the old one
 * finishes its message, commits and leaves, so the group is never without this process. Messages come at least once:
 * what an old member had processed and not committed when its partitions moved comes again.
 */
export class RotatingConsumer implements CredentialConsumer<KafkaLogin>, AsyncDisposable {
  readonly #factory: ResourceFactory<KafkaLogin, KafkaClient<Consumer>>;
  readonly #clock: Clock;
  readonly #members = new Map<number, KafkaClient<Consumer>>();
  #generation = 0;
  #detach: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  private constructor(factory: ResourceFactory<KafkaLogin, KafkaClient<Consumer>>, clock: Clock) {
    this.#factory = factory;
    this.#clock = clock;
  }

  /** Resolves when the group has taken the member in. */
  static async open(
    credential: RotatingCredential<KafkaLogin>,
    config: RotatingKafkaConfig,
    options: RotatingConsumerOptions,
  ): Promise<RotatingConsumer> {
    const { clock = systemClock } = options;
    const factory = kafkaClients(
      config,
      (kafka) => kafka.consumer(options.consumer),
      (client, signal) => join(client, options, clock, signal),
    );
    const rotating = new RotatingConsumer(factory, clock);
    rotating.#detach = credential.attach(rotating);
    try {
      const first = credential.current();
      await rotating.#join(first, new AbortController().signal);
      rotating.#generation = Math.max(rotating.#generation, first.generation);
    } catch (error) {
      rotating.#detach();
      throw error;
    }
    return rotating;
  }

  /** The generation of the newest member. */
  get generation(): number {
    return this.#generation;
  }

  /** Open connections by generation. */
  connections(): ReadonlyMap<number, number> {
    return new Map([...this.#members].map(([generation, { sockets }]) => [generation, sockets.count]));
  }

  async probe(candidate: Generation<KafkaLogin>, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.#closing === undefined) await this.#join(candidate, signal);
  }

  async publish(next: Generation<KafkaLogin>): Promise<void> {
    if (this.#closing !== undefined) return;
    await this.#join(next, new AbortController().signal);
    this.#generation = next.generation;
  }

  async discard(candidate: Generation<KafkaLogin>): Promise<void> {
    const member = this.#members.get(candidate.generation);
    if (member === undefined || candidate.generation === this.#generation) return;
    this.#members.delete(candidate.generation);
    await this.#factory.close(member);
  }

  async drain(
    { generation }: Generation<KafkaLogin>,
    { deadlineMs, signal }: DrainOptions,
  ): Promise<{ terminated: number }> {
    const old = [...this.#members].filter(([joined]) => joined <= generation);
    const ended = await Promise.all(old.map(([joined]) => this.#leave(joined, deadlineMs, signal)));
    return { terminated: ended.filter((inTime) => !inTime).length };
  }

  /** Finishes the message under way, commits, leaves the group. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown((member) => this.#factory.close(member));
    return this.#closing;
  }

  /** Ends the connections now; what was not committed comes again. Idempotent. */
  destroy(): Promise<void> {
    const ended = this.#shutDown((member) => this.#factory.destroy?.(member));
    this.#closing ??= ended;
    return ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #join(generation: Generation<KafkaLogin>, signal: AbortSignal): Promise<void> {
    if (this.#members.has(generation.generation)) return;
    this.#members.set(generation.generation, await this.#factory.open(generation, { signal }));
  }

  /** Whether the member was through in time; one that was not is ended. */
  async #leave(generation: number, deadlineMs: number, signal: AbortSignal): Promise<boolean> {
    const member = this.#members.get(generation);
    if (member === undefined) return true;
    const limitMs = Math.max(0, deadlineMs - this.#clock.now());
    const left = Promise.resolve(this.#factory.close(member)).then(() => true);
    const inTime = await within(left, { limitMs, clock: this.#clock, signal }).catch(() => false);
    if (!inTime) await this.#factory.destroy?.(member);
    this.#members.delete(generation);
    return inTime;
  }

  async #shutDown(end: (member: KafkaClient<Consumer>) => unknown): Promise<void> {
    await Promise.all([...this.#members.values()].map(end));
    this.#members.clear();
    this.#detach();
  }
}

/** Connects, subscribes, runs, and waits until the group has assigned its partitions. */
async function join(
  client: Consumer,
  { topics, fromBeginning = true, run, joinTimeoutMs = 60_000, onCrash }: RotatingConsumerOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let stop: (error: Error) => void = () => undefined;
  const crashed = new Promise<never>((_, reject) => {
    stop = reject;
  });
  crashed.catch(() => undefined);
  let joined = false;
  client.on(client.events.CRASH, ({ payload }) => {
    // As while the broker still reads what it knows of the group: kafkajs begins again by itself.
    if (payload.restart) return;
    if (joined) onCrash?.(payload.error);
    else stop(payload.error);
  });
  const assigned = new Promise<void>((resolve) => {
    client.on(client.events.GROUP_JOIN, () => resolve());
  });
  await client.connect();
  await client.subscribe({ topics: [...topics], fromBeginning });
  await client.run(run);
  const entering = Promise.race([assigned, crashed]);
  const reason = (): CredentialError =>
    new CredentialError('probe-failed', `Joining the group: not taken in within ${joinTimeoutMs} ms`, {
      retryable: true,
    });
  await within(entering, { limitMs: joinTimeoutMs, clock, signal, reason });
  joined = true;
}

/** Joins a kafkajs consumer group with logins that come from `credential`. */
export function rotatingConsumer(
  credential: RotatingCredential<KafkaLogin>,
  config: RotatingKafkaConfig,
  options: RotatingConsumerOptions,
): Promise<RotatingConsumer> {
  return RotatingConsumer.open(credential, config, options);
}
