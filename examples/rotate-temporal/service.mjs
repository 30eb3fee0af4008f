import { RotatingCredential, svidCredential } from '@neural-hive/security/credentials';
import { rotatingConnection, rotatingNativeConnection, temporalTls } from '@neural-hive/security/temporal';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';

export async function openService(source, { address, serverCa }) {
  const credential = await RotatingCredential.open({ provider: svidCredential(source) });
  const tls = (svid) => temporalTls(svid, { serverCa });
  const connection = await rotatingConnection(credential, (svid) => Connection.connect({ address, tls: tls(svid) }));
  const native = await rotatingNativeConnection(credential, (svid) =>
    NativeConnection.connect({ address, tls: tls(svid) }),
  );
  return { credential, connection, native, client: new Client({ connection }) };
}

export function runWorker({ native }, options, until) {
  return native.runWorker(
    (connection) => Worker.create({ ...options, connection }),
    (worker) => worker.runUntil(until),
  );
}
