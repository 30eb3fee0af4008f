import type { Readable } from 'node:stream';

/**
 * Calls back once when the process that started this one is gone: it holds the other end of this one's standard input,
 * and the end of that stream is the only sign that also a SIGKILL leaves.
 */
export function watchParent(onGone: () => void, input: Readable = process.stdin): () => void {
  let told = false;
  const tell = (): void => {
    if (told) return;
    told = true;
    onGone();
  };
  input.on('end', tell).on('close', tell).on('error', tell);
  input.resume();
  return () => {
    told = true;
    input.off('end', tell).off('close', tell);
    input.pause();
  };
}
