/** Of MongoDB: a document with that id, or another unique value, is there already. */
const DUPLICATE_KEY = 11_000;

export function isDuplicateKey(error: unknown): boolean {
  return codeOf(error) === DUPLICATE_KEY;
}

/**
 * Waits for a write that may find that it was made before: duplicates are what that looks like, in each of its parts.
 * Any other error is thrown.
 */
export async function unlessThere(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    const parts = partsOf(error);
    if (parts.length > 0 ? !parts.every(isDuplicateKey) : !isDuplicateKey(error)) throw error;
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function partsOf(error: unknown): readonly unknown[] {
  if (typeof error !== 'object' || error === null || !('writeErrors' in error)) return [];
  return Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
}
