import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PolicyClient } from '../adapters/opa/policy-client.ts';
import type { Executed } from '../domain/execution-result.ts';
import type { Execution, Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { readParameters } from './parameters.ts';
import { checkSchema } from './schema-check.ts';
import { type FolderParameters, type FolderPlaces, namedFolder, readInside, textOf } from './sources.ts';

export interface ValidateOptions extends FolderPlaces {
  /** The policies that tickets may ask for, and who decides. Default: none. */
  readonly policies?: { readonly client: Pick<PolicyClient, 'ask'>; readonly names: readonly string[] } | undefined;
}

const place = {
  project: z.string().optional(),
  artifact: z.string().optional(),
  artifact_from: z.string().optional(),
};
const file = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))/, 'must lie inside the folder');

const parameters = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('checksum'), ...place, file, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.strictObject({
    kind: z.literal('json_schema'),
    /** Holds the schema. */
    schema_project: z.string(),
    schema: file,
    ...place,
    file: file.optional(),
    document: z.string().optional(),
    document_from: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('policy'),
    policy: z.string(),
    input: z.string().optional(),
    input_from: z.string().optional(),
  }),
]);
type Parameters<Kind> = Extract<z.output<typeof parameters>, { kind: Kind }>;

const MAX_FILE_BYTES = 256 * 1024 * 1024;
const MAX_JSON_BYTES = 8 * 1024 * 1024;
const MAX_PROBLEM_CHARACTERS = 16_384;

/**
 * VALIDATE, by `kind`: `checksum` compares the SHA-256 of a file, `json_schema` holds a document against a schema that lies in
 * a project, `policy` asks an OPA server. Output: `valid`, and `problems` when it is false, which is a failure.
 */
export function validateExecutor({ policies, ...places }: ValidateOptions): Executor {
  return {
    type: 'VALIDATE',
    async execute(execution) {
      const wanted = readParameters(parameters, execution.ticket);
      switch (wanted.kind) {
        case 'checksum':
          return validateChecksum(execution, wanted);
        case 'json_schema':
          return validateSchema(execution, wanted);
        case 'policy':
          return validatePolicy(execution, wanted);
      }
    },
  };

  async function validateChecksum({ ticket }: Execution, wanted: Parameters<'checksum'>): Promise<Executed> {
    const content = await fileOf(ticket, wanted, MAX_FILE_BYTES);
    const sha256 = createHash('sha256').update(content).digest('hex');
    return verdict(sha256 === wanted.sha256 ? [] : [`${wanted.file}: its SHA-256 is ${sha256}`], { sha256 });
  }

  async function validateSchema(execution: Execution, wanted: Parameters<'json_schema'>): Promise<Executed> {
    const { ticket, signal, timeoutMs } = execution;
    const folder = namedFolder(ticket, { project: wanted.schema_project }, places);
    const schema = folder === undefined ? undefined : await readInside(folder, wanted.schema, MAX_JSON_BYTES);
    if (schema === undefined) throw new TicketFailure('parameters', 'parameters.schema: there is no such file');
    const given = textOf(ticket, 'document', { text: wanted.document, from: wanted.document_from });
    if ((given === undefined) === (wanted.file === undefined)) {
      throw new TicketFailure('parameters', 'parameters: one of document, document_from and file is needed');
    }
    const document = given ?? (await fileOf(ticket, { ...wanted, file: wanted.file ?? '' }, MAX_JSON_BYTES)).toString();
    assertJson(schema.toString(), 'schema');
    if (!isJson(document)) return verdict(['/: is no JSON']);
    return verdict(await checkSchema({ schema: schema.toString(), document, timeoutMs, signal }));
  }

  async function validatePolicy({ ticket, signal }: Execution, wanted: Parameters<'policy'>): Promise<Executed> {
    if (policies?.names.includes(wanted.policy) !== true) {
      throw new TicketFailure('parameters', 'parameters.policy: is not on the list of policies');
    }
    const input = textOf(ticket, 'input', { text: wanted.input, from: wanted.input_from });
    if (input === undefined) throw new TicketFailure('parameters', 'parameters.input: or input_from is needed');
    assertJson(input, 'input');
    const { allowed, reasons } = await policies.client.ask(wanted.policy, JSON.parse(input), { signal });
    if (allowed) return verdict([]);
    return verdict(reasons.length > 0 ? reasons : [`the policy ${wanted.policy} says no`]);
  }

  async function fileOf(
    ticket: Execution['ticket'],
    { file: name, project, artifact, artifact_from }: { file: string } & FolderParameters,
    maxBytes: number,
  ): Promise<Buffer> {
    const folder = namedFolder(ticket, { project, artifact, artifact_from }, places);
    if (folder === undefined) throw new TicketFailure('parameters', 'parameters: a project or an artifact is needed');
    const content = await readInside(folder, name, maxBytes);
    if (content !== undefined) return content;
    throw new TicketFailure('parameters', `parameters.file: there is no such file of at most ${maxBytes} bytes`);
  }
}

function verdict(problems: readonly string[], more: Readonly<Record<string, string>> = {}): Executed {
  if (problems.length === 0) return { output: { valid: 'true', ...more } };
  const said = problems.join('\n').slice(0, MAX_PROBLEM_CHARACTERS);
  throw new TicketFailure('execution', `Validation found ${problems.length} problem(s)`, {
    output: { valid: 'false', problems: said, ...more },
    logs: problems,
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function assertJson(text: string, name: string): void {
  if (!isJson(text)) throw new TicketFailure('parameters', `parameters.${name}: is no JSON`);
}
