// A proxyless gRPC client and its servers, for tests of the control plane.
//
//	xds-grpc serve NAME ADDRESS   answers the health service; says its name in the header x-upstream
//	xds-grpc call                 reads lines "TARGET COUNT [key=value ...]", calls so often, prints how often each answered;
//	                              "COUNT@once" calls all of them at once
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds"
)

type server struct {
	health.UnimplementedHealthServer
	name string
}

func (s *server) Check(ctx context.Context, _ *health.HealthCheckRequest) (*health.HealthCheckResponse, error) {
	if err := grpc.SetHeader(ctx, metadata.Pairs("x-upstream", s.name)); err != nil {
		return nil, err
	}
	return &health.HealthCheckResponse{Status: health.HealthCheckResponse_SERVING}, nil
}

func serve(name, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	health.RegisterHealthServer(s, &server{name: name})
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	return s.Serve(listener)
}

func call() error {
	creds, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	conns := map[string]*grpc.ClientConn{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		target := words[0]
		number, together := strings.CutSuffix(words[1], "@once")
		count, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		if conns[target] == nil {
			conn, err := grpc.NewClient("xds:///"+target, grpc.WithTransportCredentials(creds))
			if err != nil {
				return err
			}
			conns[target] = conn
		}
		pairs := []string{}
		for _, word := range words[2:] {
			key, value, _ := strings.Cut(word, "=")
			pairs = append(pairs, key, value)
		}
		printed, err := json.Marshal(tally(conns[target], pairs, count, together))
		if err != nil {
			return err
		}
		fmt.Println(string(printed))
	}
	return lines.Err()
}

func tally(conn *grpc.ClientConn, pairs []string, count int, together bool) map[string]int {
	counts := map[string]int{}
	if !together {
		for range count {
			counts[once(conn, pairs)]++
		}
		return counts
	}
	answers := make(chan string)
	for range count {
		go func() { answers <- once(conn, pairs) }()
	}
	for range count {
		counts[<-answers]++
	}
	return counts
}

func once(conn *grpc.ClientConn, pairs []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var header metadata.MD
	ctx = metadata.AppendToOutgoingContext(ctx, pairs...)
	_, err := health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{}, grpc.Header(&header), grpc.WaitForReady(false))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return status.Code(err).String()
	}
	return strings.Join(header.Get("x-upstream"), ",")
}

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "serve":
		err = serve(os.Args[2], os.Args[3])
	case len(os.Args) == 2 && os.Args[1] == "call":
		err = call()
	default:
		err = fmt.Errorf("usage: xds-grpc serve NAME ADDRESS | call")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
