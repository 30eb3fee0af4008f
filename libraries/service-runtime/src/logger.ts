import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const SECRET_KEYS = [
  'password',
  'passwd',
  'secret',
  'token',
  'client_token',
  'accessor',
  'authorization',
  'privateKey',
  'private_key',
  'privateKeyPem',
  'svid',
  'jwt',
  'connectionString',
];

/** Where a logged object may hold a secret by name: at the top, one and two levels down. */
export const REDACTED_PATHS: readonly string[] = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** What is a secret by its look, wherever it stands in a line: JWTs, Vault tokens, PEM keys, passwords in URLs. */
const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, '[jwt]'],
  [/\bhv[sbr]\.[A-Za-z0-9_-]{8,}/g, '[vault token]'],
  [/\bs\.[A-Za-z0-9]{24,}\b/g, '[vault token]'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, '[private key]'],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*:)[^\s@"]+@/gi, '$1[secret]@'],
];

/** The text without what looks like a secret. */
export function scrubSecrets(text: string): string {
  return SECRET_SHAPES.reduce((current, [shape, replacement]) => current.replace(shape, replacement), text);
}

export const LOG_LEVELS: readonly string[] = [...Object.values(pino.levels.labels), 'silent'];

export interface LoggerOptions {
  /** The service's name, on every line. */
  readonly name: string;
  /** Default `info`. */
  readonly level?: string;
  /** Default: standard error, so that standard output carries only the line that says "ready". */
  readonly stream?: DestinationStream;
}

/** One JSON object a line. Secrets are removed by the name of their field and by their shape. */
export function createLogger({
  name,
  level = 'info',
  stream = destination({ dest: 2, sync: true }),
}: LoggerOptions): Logger {
  return pino(
    {
      name,
      level,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...REDACTED_PATHS], censor: '[secret]' },
      hooks: { streamWrite: scrubSecrets },
    },
    stream,
  );
}
