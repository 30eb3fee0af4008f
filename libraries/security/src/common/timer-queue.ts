import type { Clock, Timer } from './clock.ts';

export interface TimerQueueOptions {
  readonly clock: Clock;
  /** The wall clock was set back by so many milliseconds. What is due stays due when it was. */
  readonly onSetBack?: (byMs: number) => void;
}

/** Below this a difference between the clocks is how they are read, or slewed, and no jump. */
const JUMP_MS = 1_000;
/** So much too early is on time: the two clocks cannot be subtracted more exactly. */
const SLACK_MS = 0.5;
/** A wait is cut into such shares, and into pieces no shorter than the floor, to look at the wall clock in between. */
const LOOK_SHARE = 1 / 8;
const LOOK_FLOOR_MS = 30_000;

/** One thing to do. The index makes its removal cheap. */
class Entry implements Timer {
  readonly atMs: number;
  readonly callback: () => void;
  readonly #queue: { remove(entry: Entry): void };
  index = -1;

  constructor(queue: { remove(entry: Entry): void }, atMs: number, callback: () => void) {
    this.#queue = queue;
    this.atMs = atMs;
    this.callback = callback;
  }

  cancel(): void {
    this.#queue.remove(this);
  }
}

/**
 * Any number of timers on one timer of the clock. Node's timers stand still while the machine is suspended; these come
 * due when either clock says so: the wall clock, which goes on in a suspension, or the monotonic one, which nobody can
 * set back. After a suspension they are late by an eighth of their delay at most, or by 30 s.
 */
export class TimerQueue {
  readonly #clock: Clock;
  readonly #onSetBack: (byMs: number) => void;
  readonly #heap: Entry[] = [];
  /** The greatest difference of the two clocks so far: their later reading is the time of this queue. */
  #aheadMs = Number.NEGATIVE_INFINITY;
  /** The difference when it was looked at last. */
  #lastMs: number;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor({ clock, onSetBack = () => undefined }: TimerQueueOptions) {
    this.#clock = clock;
    this.#onSetBack = onSetBack;
    this.#lastMs = clock.now() - clock.monotonicMs();
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Calls back once when `delayMs` have passed; a delay that is no finite number is never over. */
  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = new Entry(this, this.#now() + Math.max(0, delayMs), callback);
    if (Number.isFinite(entry.atMs)) {
      this.#place(entry, this.#heap.length);
      this.#rise(entry);
      if (entry.index === 0) this.#arm();
    }
    return entry;
  }

  remove(entry: Entry): void {
    const { index } = entry;
    if (index < 0) return;
    entry.index = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  /** Cancels everything. */
  clear(): void {
    for (const entry of this.#heap.splice(0)) entry.index = -1;
    this.#disarm();
  }

  #now(): number {
    const monotonicMs = this.#clock.monotonicMs();
    this.#aheadMs = Math.max(this.#aheadMs, this.#clock.now() - monotonicMs);
    return monotonicMs + this.#aheadMs;
  }

  #arm(): void {
    const next = this.#heap[0];
    if (next === undefined) {
      this.#disarm();
      return;
    }
    const nowMs = this.#now();
    const waitMs = Math.max(0, next.atMs - nowMs);
    const pieceMs = Math.min(waitMs, Math.max(LOOK_FLOOR_MS, waitMs * LOOK_SHARE));
    // An earlier look than needed costs nothing; setting a timer for each change would.
    if (this.#timer !== undefined && this.#timerAtMs <= nowMs + pieceMs) return;
    this.#disarm();
    this.#timerAtMs = nowMs + pieceMs;
    this.#timer = this.#clock.setTimer(pieceMs, () => {
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#wake();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    const differenceMs = this.#clock.now() - this.#clock.monotonicMs();
    const setBackMs = this.#lastMs - differenceMs;
    this.#lastMs = differenceMs;
    try {
      if (setBackMs > JUMP_MS) this.#onSetBack(setBackMs);
      const dueMs = this.#now() + SLACK_MS;
      for (let next = this.#heap[0]; next !== undefined && next.atMs <= dueMs; next = this.#heap[0]) {
        this.remove(next);
        next.callback();
      }
    } finally {
      this.#arm();
    }
  }

  #place(entry: Entry, index: number): void {
    this.#heap[index] = entry;
    entry.index = index;
  }

  #rise(entry: Entry): void {
    while (entry.index > 0) {
      const { index } = entry;
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex];
      if (parent === undefined || parent.atMs <= entry.atMs) return;
      this.#place(parent, index);
      this.#place(entry, parentIndex);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const { index } = entry;
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const child = right !== undefined && left !== undefined && right.atMs < left.atMs ? right : left;
      if (child === undefined || child.atMs >= entry.atMs) return;
      const childIndex = child.index;
      this.#place(child, index);
      this.#place(entry, childIndex);
    }
  }
}
