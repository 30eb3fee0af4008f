/**
 * Checks the address of a server. Plain HTTP would show every token to the network, so it is accepted for the
 * loopback interface only. Throws a `TypeError` that names the option.
 */
export function parseAddress(address: string, option = 'address'): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new TypeError(`${option}: ${JSON.stringify(address)} is not a URL such as https://vault.example:8200`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError(`${option}: must hold scheme, host and port only, without credentials, query or fragment`);
  }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return url;
  throw new TypeError(`${option}: must be https (http is accepted for the loopback interface only)`);
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Each segment is its own encoding, as of nearly every path. */
const PLAIN_PATH = /^[\w-]+(?:\/[\w-]+)*$/;

/**
 * The path below `/v1/`, each segment encoded. Dots as segments would climb out of the mount; an empty one is a
 * slip that servers answer in surprising ways. Throws a `TypeError`.
 */
export function encodePath(path: string): string {
  if (PLAIN_PATH.test(path)) return path;
  const segments = path.split('/');
  // A list of a folder ends with a slash.
  const trailing = segments.at(-1) === '' && segments.length > 1 ? segments.pop() : undefined;
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') {
      throw new TypeError(`path: ${JSON.stringify(path)} has an empty, "." or ".." segment`);
    }
  }
  return segments.map(encodeURIComponent).join('/') + (trailing === undefined ? '' : '/');
}
