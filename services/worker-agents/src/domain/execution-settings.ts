import { z } from 'zod';

const count = z.coerce.number().int().positive();

/** What `worker/execution` and `worker/execution/<task type>` may set. Anything else in them is for others. */
export const executionSettings = z.object({
  /** The longest an attempt may take, whatever its ticket says. */
  max_timeout_ms: count.default(3_600_000),
  /** QUERY. */
  max_rows: count.max(10_000).default(500),
  max_result_bytes: count.max(60_000).default(60_000),
  /** BUILD. */
  max_artifact_files: count.default(10_000),
  max_artifact_bytes: count.default(256 * 1024 * 1024),
});
export type ExecutionSettings = z.output<typeof executionSettings>;
