import { CancellationScope, condition, sleep } from '@temporalio/workflow';

/**
 * One timer of the workflow for all timers of the plan. It is set again only when something has to fire earlier: most
 * timers are cleared before their time, and each timer of a workflow costs two events of its history.
 */
export class Alarm {
  #set: { readonly atMs: number; readonly scope: CancellationScope } | undefined;

  /** Resolves at `atMs`, or earlier when `ready` holds, or for no reason. Undefined: no timer is set. */
  async wait(atMs: number | undefined, ready: () => boolean): Promise<void> {
    if (atMs === undefined) return condition(ready);
    this.#arm(atMs);
    await condition(() => ready() || this.#set === undefined);
  }

  #arm(atMs: number): void {
    if (this.#set !== undefined && this.#set.atMs <= atMs) return;
    this.#set?.scope.cancel();
    const scope = new CancellationScope();
    const set = { atMs, scope };
    this.#set = set;
    const rung = (): void => {
      if (this.#set === set) this.#set = undefined;
    };
    scope.run(() => sleep(Math.max(1, atMs - Date.now()))).then(rung, rung);
  }
}
