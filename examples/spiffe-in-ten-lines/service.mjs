import { httpsServer } from '@neural-hive/security/http';
import { matchId, X509Source } from '@neural-hive/security/spiffe';
import { peerSpiffeId } from '@neural-hive/security/tls';

const identity = await X509Source.open(); // the agent at SPIFFE_ENDPOINT_SOCKET
const authorize = matchId('spiffe://example.org/web');
const server = httpsServer({ identity, authorize }, (request, response) => {
  response.end(`hello ${peerSpiffeId(request.socket)}`);
});
server.listen(process.env.PORT ?? 8443);

// That is all. The rest is something to watch, and a clean end at Ctrl-C.
server.once('listening', () => console.log(JSON.stringify({ port: server.address().port })));
server.on('tlsClientError', (error) => console.log(JSON.stringify({ refused: error.message })));
process.once('SIGINT', async () => {
  server.closeAllConnections();
  server.close();
  await identity.close();
});
