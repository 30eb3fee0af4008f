/** What a `hive` of the tests with real servers has to know of those that run it: where the programs are, whose use counts. */
export function realEnvironment(): Record<string, string> {
  const names = [
    ...['BAO_BINARY', 'SPIRE_BINARIES', 'REDIS_BINARY', 'KUBERNETES_BINARIES', 'ETCD_BINARY'],
    ...['KAFKA_JARS', 'FERRETDB_BINARY', 'TEMPORAL_BINARIES', 'XDG_CACHE_HOME', 'REAL_STACK_USED', 'REAL_STACK_TEST'],
  ];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
