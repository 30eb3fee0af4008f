import { crc32 } from 'node:zlib';
import { JournalError } from './journal-error.ts';

/** One line: the CRC-32 of the JSON in eight hexadecimal digits, a space, the JSON. */
export function encodeRecord(record: unknown): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

export interface DecodedJournal {
  readonly records: readonly unknown[];
  /** Length of the part that was read; what follows is a torn tail. */
  readonly goodBytes: number;
  readonly tornBytes: number;
}

/**
 * Reads the records of a journal. A crash tears only its end, so unreadable lines are dropped there; an unreadable line
 * with a readable one behind it is damage, and throws `journal_damaged`.
 */
export function decodeJournal(content: Buffer): DecodedJournal {
  const records: unknown[] = [];
  let goodBytes = 0;
  let torn = false;
  for (let start = 0; start < content.length; ) {
    const newline = content.indexOf(0x0a, start);
    const end = newline === -1 ? content.length : newline + 1;
    const record = newline === -1 ? undefined : decodeRecord(content.toString('utf8', start, newline));
    if (record === undefined) {
      torn = true;
    } else if (torn) {
      throw new JournalError(
        'journal_damaged',
        `The journal is damaged at byte ${goodBytes} and goes on behind it: restore it, or move it away to start empty`,
      );
    } else {
      records.push(record.value);
      goodBytes = end;
    }
    start = end;
  }
  return { records, goodBytes, tornBytes: content.length - goodBytes };
}

function decodeRecord(line: string): { readonly value: unknown } | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(json)) return undefined;
  try {
    return { value: JSON.parse(json) };
  } catch {
    return undefined;
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}
