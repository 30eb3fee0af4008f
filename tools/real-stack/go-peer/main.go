// Command go-peer is a workload that speaks through go-spiffe. It prints one JSON object a line.
//
//	go-peer serve       -socket unix:///… -authorize spiffe://…              greets every TLS client by its ID
//	go-peer dial        -socket unix:///… -authorize spiffe://… -address host:port
//	go-peer serve-grpc  -socket unix:///… -authorize spiffe://…              gRPC health service
//	go-peer dial-grpc   -socket unix:///… -authorize spiffe://… -address host:port
//	go-peer verify-jwt  -socket unix:///… -audience name                     token on standard input
//
// The servers end when their standard input does.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffegrpc/grpccredentials"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const limit = 20 * time.Second

type options struct {
	socket    string
	authorize string
	address   string
	audience  string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("a command is needed")
	}
	var o options
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.StringVar(&o.socket, "socket", "", "endpoint of the Workload API")
	flags.StringVar(&o.authorize, "authorize", "", "SPIFFE ID of the other end")
	flags.StringVar(&o.address, "address", "", "host:port to dial")
	flags.StringVar(&o.audience, "audience", "", "audience of the token")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	commands := map[string]func(options) error{
		"serve":      serve,
		"dial":       dial,
		"serve-grpc": serveGRPC,
		"dial-grpc":  dialGRPC,
		"verify-jwt": verifyJWT,
	}
	command, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("unknown command %q", args[0])
	}
	return command(o)
}

func report(values map[string]any) error {
	return json.NewEncoder(os.Stdout).Encode(values)
}

// identity opens a source that keeps the SVID and the bundles current.
func identity(o options) (*workloadapi.X509Source, spiffeid.ID, error) {
	authorized, err := spiffeid.FromString(o.authorize)
	if err != nil {
		return nil, spiffeid.ID{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(o.socket)))
	return source, authorized, err
}

// ready says where the server listens, then waits for the end of standard input.
func ready(source *workloadapi.X509Source, listener net.Listener) error {
	svid, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := report(map[string]any{"port": port, "id": svid.ID.String()}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func serve(o options) error {
	source, authorized, err := identity(o)
	if err != nil {
		return err
	}
	defer source.Close()
	config := tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(authorized))
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go greet(conn)
		}
	}()
	return ready(source, listener)
}

func greet(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(limit))
	secure := conn.(*tls.Conn)
	if err := secure.Handshake(); err != nil {
		_ = report(map[string]any{"refused": err.Error()})
		return
	}
	peer, err := spiffetls.PeerIDFromConnectionState(secure.ConnectionState())
	if err != nil {
		_ = report(map[string]any{"refused": err.Error()})
		return
	}
	fmt.Fprintf(conn, "hello %s\n", peer)
	_ = report(map[string]any{"peer": peer.String()})
}

func dial(o options) error {
	source, authorized, err := identity(o)
	if err != nil {
		return err
	}
	defer source.Close()
	config := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(authorized))
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", o.address, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(limit))
	peer, err := spiffetls.PeerIDFromConnectionState(conn.ConnectionState())
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	return report(map[string]any{"peer": peer.String(), "received": strings.TrimSpace(line)})
}

func serveGRPC(o options) error {
	source, authorized, err := identity(o)
	if err != nil {
		return err
	}
	defer source.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	credentials := grpccredentials.MTLSServerCredentials(source, source, tlsconfig.AuthorizeID(authorized))
	server := grpc.NewServer(grpc.Creds(credentials))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	defer server.Stop()
	go func() { _ = server.Serve(listener) }()
	return ready(source, listener)
}

func dialGRPC(o options) error {
	source, authorized, err := identity(o)
	if err != nil {
		return err
	}
	defer source.Close()
	credentials := grpccredentials.MTLSClientCredentials(source, source, tlsconfig.AuthorizeID(authorized))
	client, err := grpc.NewClient("passthrough:///"+o.address, grpc.WithTransportCredentials(credentials))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(client).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "echo"})
	if err != nil {
		return err
	}
	return report(map[string]any{"status": answer.Status.String()})
}

func verifyJWT(o options) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	token, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	source, err := workloadapi.NewBundleSource(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(o.socket)))
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := jwtsvid.ParseAndValidate(strings.TrimSpace(string(token)), source, []string{o.audience})
	if err != nil {
		return err
	}
	return report(map[string]any{"id": svid.ID.String(), "audience": svid.Audience})
}
