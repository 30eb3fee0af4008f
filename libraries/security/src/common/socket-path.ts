/** `sun_path` holds 108 bytes on Linux and 104 on macOS, one of them for the closing NUL. */
export const MAX_SOCKET_PATH_BYTES = 103;

/**
 * Throws a `RangeError` for a Unix socket path over 103 bytes. Node cuts a longer path silently and so
 * listens on, or connects to, another socket. Call it before every listen and every connect.
 */
export function assertSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw new RangeError(
      `The Unix socket path is ${bytes} bytes long and may be at most ${MAX_SOCKET_PATH_BYTES}: use a shorter folder`,
    );
  }
}

/**
 * The same rule for PostgreSQL clients: a `host` that is an absolute path names a folder, and what is connected to is the
 * socket in it. Takes a client's resolved `host` and `port`; a host name passes.
 */
export function assertPostgresSocket({ host, port }: { readonly host: string; readonly port: number }): void {
  if (host.startsWith('/')) assertSocketPath(`${host.replace(/\/$/, '')}/.s.PGSQL.${port}`);
}
