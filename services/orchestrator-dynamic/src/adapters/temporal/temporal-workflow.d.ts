/**
 * What is used of @temporalio/workflow. The package is not installed with this repository (decision 0021): these
 * declarations stand for it, and the tests against a real Temporal run the real one.
 */
declare module '@temporalio/workflow' {
  export interface ActivityOptions {
    readonly startToCloseTimeout: string;
    readonly heartbeatTimeout?: string;
    readonly retry?: {
      readonly initialInterval?: string;
      readonly maximumInterval?: string;
      readonly backoffCoefficient?: number;
    };
  }
  export function proxyActivities<A>(options: ActivityOptions): A;

  export interface SignalDefinition<Args extends readonly unknown[]> {
    readonly type: 'signal';
    readonly name: string;
    readonly args?: Args;
  }
  export interface UpdateDefinition<R, Args extends readonly unknown[]> {
    readonly type: 'update';
    readonly name: string;
    readonly args?: Args;
    readonly result?: R;
  }
  export function defineSignal<Args extends readonly unknown[]>(name: string): SignalDefinition<Args>;
  export function defineUpdate<R, Args extends readonly unknown[]>(name: string): UpdateDefinition<R, Args>;
  export function setHandler<Args extends readonly unknown[]>(
    definition: SignalDefinition<Args>,
    handler: (...args: Args) => void,
  ): void;
  export function setHandler<R, Args extends readonly unknown[]>(
    definition: UpdateDefinition<R, Args>,
    handler: (...args: Args) => Promise<R>,
  ): void;

  export function allHandlersFinished(): boolean;
  export function condition(met: () => boolean): Promise<void>;
  export function continueAsNew<F extends (...args: never[]) => unknown>(...args: Parameters<F>): Promise<never>;
  export function sleep(ms: number): Promise<void>;
  export function workflowInfo(): { readonly historyLength: number; readonly historySize: number };

  export class CancellationScope {
    run<T>(work: () => Promise<T>): Promise<T>;
    cancel(): void;
  }

  export const log: {
    warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
    error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  };
}
