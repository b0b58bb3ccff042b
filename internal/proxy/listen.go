package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// socketPath returns the path of an address that is a Unix socket's.
func socketPath(address string) (path string, isSocket bool) {
	return strings.CutPrefix(address, "unix:")
}

// listen opens the address. It returns, too, the hosts by which clients call
// what listens there.
func listen(config Config) (net.Listener, []string, error) {
	named, err := certificateNames(config)
	if err != nil {
		return nil, nil, err
	}
	if path, isSocket := socketPath(config.Address); isSocket {
		listener, err := listenSocket(path)
		if err != nil {
			return nil, nil, fmt.Errorf("listen at %s: %w", config.Address, err)
		}
		return listener, append([]string{"localhost"}, named...), nil
	}
	listener, err := net.Listen("tcp", config.address())
	if err != nil {
		return nil, nil, fmt.Errorf("%w; choose another address", err)
	}
	addr := listener.Addr().(*net.TCPAddr)
	if !addr.IP.IsLoopback() {
		if !config.AllowRemote { // what localhost means is up to the machine
			listener.Close()
			return nil, nil, fmt.Errorf("%s is %s here, which other machines reach: give a loopback address, such as %s", config.address(), addr.IP, DefaultAddress)
		}
		return listener, named, nil
	}
	return listener, append(loopbackHosts(addr, config), named...), nil
}

// loopbackHosts are the Host headers of clients on this machine, which leave out
// the port if it is the scheme's own.
func loopbackHosts(addr *net.TCPAddr, config Config) []string {
	_, port, _ := net.SplitHostPort(addr.String())
	ip := addr.IP.String()
	if addr.IP.To4() == nil {
		ip = "[" + ip + "]"
	}
	hosts := []string{ip + ":" + port, "localhost:" + port}
	if secure := config.CertFile != ""; port == "80" && !secure || port == "443" && secure {
		hosts = append(hosts, ip, "localhost")
	}
	return hosts
}

// certificateNames are the names in the certificate, if there is one.
func certificateNames(config Config) ([]string, error) {
	if config.CertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(config.CertFile, config.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the TLS certificate: %w", err)
	}
	names := append([]string{}, pair.Leaf.DNSNames...)
	for _, ip := range pair.Leaf.IPAddresses {
		name := ip.String()
		if ip.To4() == nil {
			name = "[" + name + "]"
		}
		names = append(names, name)
	}
	if len(names) == 0 && len(config.Hosts) == 0 {
		return nil, fmt.Errorf("the TLS certificate in %s has no subject alternative name: clients trust none without, and the proxy does not know what it is called", config.CertFile)
	}
	return names, nil
}
