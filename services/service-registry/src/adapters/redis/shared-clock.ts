import { type Clock, systemClock, type Timer } from '@neural-hive/security/common';

/**
 * The time of a server that several replicas read, so that they agree on the age of a heartbeat although their own
 * clocks differ.
 */
export class SharedClock implements Clock {
  readonly #own: Clock;
  #aheadMs: number | undefined;

  constructor(own: Clock = systemClock) {
    this.#own = own;
  }

  now(): number {
    return Math.round(this.#own.now() + (this.#aheadMs ?? 0));
  }

  /** The clock that `observe` wants its times from. */
  ownMs(): number {
    return this.#own.now();
  }

  monotonicMs(): number {
    return this.#own.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#own.setTimer(delayMs, callback);
  }

  /** The server said `serverMs` between two moments of the own clock. A slow answer tells little, so it changes little. */
  observe(serverMs: number, sentMs: number, receivedMs: number): void {
    const least = serverMs - receivedMs;
    const most = serverMs - sentMs;
    this.#aheadMs = this.#aheadMs === undefined ? (least + most) / 2 : Math.min(Math.max(this.#aheadMs, least), most);
  }
}
