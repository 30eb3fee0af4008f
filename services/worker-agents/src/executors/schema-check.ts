import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { TicketFailure } from '../domain/failure.ts';

const { resolve } = createRequire(import.meta.url);

/**
 * Runs in a thread of its own: a pattern can take for ever on the right text, and a document more memory than there is. As
 * text, since it loads nothing of ours.
 */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const Ajv = require(workerData.ajv).default;
const addFormats = require(workerData.formats).default;
const [schema, document] = [JSON.parse(workerData.schema), JSON.parse(workerData.document)];
let validate;
try {
  const ajv = new Ajv({ allErrors: true, strictSchema: true, strictTypes: false, strictTuples: false, strictRequired: false });
  addFormats(ajv);
  validate = ajv.compile(schema);
} catch (error) {
  parentPort.postMessage({ fault: String(error.message) });
}
if (validate !== undefined) {
  const problems = validate(document) ? [] : validate.errors;
  parentPort.postMessage({
    problems: problems.slice(0, workerData.most).map(({ instancePath, message }) => (instancePath || '/') + ': ' + message),
  });
}
`;

const MAX_PROBLEMS = 50;

export interface SchemaCheck {
  /** Both as JSON. */
  readonly schema: string;
  readonly document: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * What is wrong with a document by a JSON Schema (2020-12), each as `JSON pointer: problem`; empty when nothing is. Throws a
 * `TicketFailure` for a schema that is none, and for a check that does not end.
 */
export async function checkSchema({ schema, document, timeoutMs, signal }: SchemaCheck): Promise<readonly string[]> {
  signal.throwIfAborted();
  const thread = new Worker(THREAD, {
    eval: true,
    workerData: {
      ajv: resolve('ajv/dist/2020.js'),
      formats: resolve('ajv-formats'),
      schema,
      document,
      most: MAX_PROBLEMS,
    },
    resourceLimits: { maxOldGenerationSizeMb: 256 },
    // Flags of ours mean nothing to it.
    execArgv: [],
  });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const said = await new Promise<{ fault?: string; problems?: readonly string[] }>((done, reject) => {
      thread.once('message', done);
      thread.once('error', reject);
      thread.once('exit', () => reject(new Error('the check ended without a result')));
      limit.addEventListener('abort', () => reject(limit.reason), { once: true });
    });
    if (said.problems !== undefined) return said.problems;
    throw new TicketFailure('parameters', `parameters.schema: is no JSON Schema: ${said.fault}`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TicketFailure) throw error;
    if (limit.aborted) throw new TicketFailure('timeout', `The check did not end within ${timeoutMs} ms`);
    throw new TicketFailure('execution', 'The document cannot be checked: it takes more than there is', {
      cause: error,
    });
  } finally {
    await thread.terminate();
  }
}
