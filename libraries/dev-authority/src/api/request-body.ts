import type { IncomingMessage } from 'node:http';
import { Fault, invalid } from '../fault.ts';
import { isRecord } from './fields.ts';

/** Vault's own limit. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** The body as an object; an empty one is `{}`. Any content type will do, as with Vault. */
export async function readJsonBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks, bytes).toString('utf8'));
  } catch {
    // The parser's own text may quote the body.
    throw invalid('failed to decode JSON input: not valid JSON');
  }
  if (body === null) return {};
  if (!isRecord(body)) throw invalid('failed to decode JSON input: not an object');
  return body;
}

function tooLarge(): Fault {
  return new Fault('too_large', 'http: request body too large');
}
