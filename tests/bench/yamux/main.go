// A reverse tunnel of Go's TLS and hashicorp/yamux, as tunnels written in Go are made: something to compare with.
//
//	yamux_tunnel far  LINK ENTRANCE KEYS   listens on both, passes connections of ENTRANCE on over the link
//	yamux_tunnel near LINK TARGET KEYS     dials LINK, and TARGET for each channel
package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"os"

	"github.com/hashicorp/yamux"
)

const window = 6 << 20

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func settings(keys, name string) *tls.Config {
	pair, err := tls.LoadX509KeyPair(keys+"/"+name+".crt", keys+"/"+name+".key")
	check(err)
	text, err := os.ReadFile(keys + "/ca.pem")
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "localhost"}
}

func multiplexing() *yamux.Config {
	config := yamux.DefaultConfig()
	config.MaxStreamWindowSize = window
	config.AcceptBacklog = 4096
	return config
}

type half interface {
	io.ReadWriteCloser
}

func closeWrite(to half) {
	if tcp, is := to.(*net.TCPConn); is {
		tcp.CloseWrite()
		return
	}
	to.Close() // of yamux: ends this direction, the other one goes on
}

func splice(a, b half) {
	done := make(chan bool, 2)
	one := func(to, from half) {
		io.Copy(to, from)
		closeWrite(to)
		done <- true
	}
	go one(a, b)
	go one(b, a)
	<-done
	<-done
	a.Close()
	b.Close()
}

func far(link, entrance, keys string) {
	links, err := tls.Listen("tcp", link, settings(keys, "far"))
	check(err)
	clients, err := net.Listen("tcp", entrance)
	check(err)
	for {
		connection, err := links.Accept()
		check(err)
		if connection.(*tls.Conn).Handshake() != nil { // a look at the port
			connection.Close()
			continue
		}
		session, err := yamux.Client(connection, multiplexing())
		check(err)
		for {
			client, err := clients.Accept()
			check(err)
			go func() {
				if channel, err := session.Open(); err == nil {
					splice(channel, client)
				} else {
					client.Close()
				}
			}()
		}
	}
}

func near(link, target, keys string) {
	connection, err := tls.Dial("tcp", link, settings(keys, "near"))
	check(err)
	session, err := yamux.Server(connection, multiplexing())
	check(err)
	for {
		channel, err := session.Accept()
		check(err)
		go func() {
			if to, err := net.Dial("tcp", target); err == nil {
				splice(to.(*net.TCPConn), channel)
			} else {
				channel.Close()
			}
		}()
	}
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: yamux_tunnel far|near LINK ENTRANCE|TARGET KEYS")
	}
	if os.Args[1] == "far" {
		far(os.Args[2], os.Args[3], os.Args[4])
	}
	near(os.Args[2], os.Args[3], os.Args[4])
}
