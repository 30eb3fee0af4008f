import type { ExecutionTicket, TaskType } from '@neural-hive/contracts';
import type { DeadLetter } from '../domain/index.ts';
import type { TicketBus } from '../ports/ticket-bus.ts';

/** A bus within the process: the positive control for engines that have their tickets carried. */
export class MemoryTicketBus implements TicketBus {
  /** Everything that was ever published, in its order. */
  readonly published: ExecutionTicket[] = [];
  readonly buried: DeadLetter[] = [];
  /** Called before a ticket is published; what it throws is what the bus throws. */
  onPublish: (ticket: ExecutionTicket) => void = () => undefined;
  readonly #waiting: ExecutionTicket[] = [];
  #wake = (): void => undefined;

  async publish(ticket: ExecutionTicket): Promise<void> {
    this.onPublish(ticket);
    this.published.push(ticket);
    this.giveBack(ticket);
  }

  async bury(letter: DeadLetter): Promise<void> {
    this.buried.push(letter);
  }

  /** Lays a message back that was not done with. */
  giveBack(ticket: ExecutionTicket): void {
    this.#waiting.push(ticket);
    const wake = this.#wake;
    this.#wake = () => undefined;
    wake();
  }

  /** The next message of one of the types, once there is one; undefined when `signal` is aborted. */
  async take(types: readonly TaskType[], signal: AbortSignal): Promise<ExecutionTicket | undefined> {
    while (!signal.aborted) {
      const at = this.#waiting.findIndex(({ task_type: type }) => types.includes(type));
      if (at >= 0) return this.#waiting.splice(at, 1)[0];
      await new Promise<void>((resolve) => {
        const others = this.#wake;
        const go = (): void => {
          signal.removeEventListener('abort', go);
          resolve();
        };
        this.#wake = () => {
          others();
          go();
        };
        signal.addEventListener('abort', go, { once: true });
      });
    }
    return undefined;
  }
}
