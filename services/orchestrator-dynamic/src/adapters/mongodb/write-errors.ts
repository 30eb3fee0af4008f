/** Of MongoDB: a document with that id, or another unique value, is there already. */
const DUPLICATE_KEY = 11_000;

export function isDuplicateKey(error: unknown): boolean {
  return codeOf(error) === DUPLICATE_KEY;
}

/** Waits for a write that may find that it was made before. Any other error is thrown. */
export async function unlessThere(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

/**
 * Writes documents of which some may be there already. FerretDB ends at the first of these, also where it was asked to go
 * on, so what is `left` is looked up and written again until all are there.
 */
export async function writeMissing<T>(
  documents: readonly T[],
  write: (documents: readonly T[]) => Promise<unknown>,
  left: (documents: readonly T[]) => Promise<readonly T[]>,
): Promise<void> {
  let open = documents;
  while (open.length > 0) {
    try {
      await write(open);
      return;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      open = await left(open);
    }
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
