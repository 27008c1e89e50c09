package sshend

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/sockets"
)

// SSHConnection is $SSH_CONNECTION: the client, its port, the server, its port. ok is
// false where that is not so. See ssh(1), ENVIRONMENT.
func SSHConnection() (client, clientPort, server, serverPort string, ok bool) {
	f := strings.Fields(os.Getenv("SSH_CONNECTION"))
	if len(f) != 4 {
		return "", "", "", "", false
	}
	return f[0], f[1], f[2], f[3], true
}

// ThisConnection is the SSH session tcpka runs in, if it does, and the client's end.
func ThisConnection() (connection sshconf.Connection, peer sockets.Endpoint) {
	client, clientPort, server, serverPort, _ := SSHConnection()
	port, err := strconv.ParseUint(serverPort, 10, 16)
	if err != nil {
		return connection, peer
	}
	connection = sshconf.Connection{Host: client, Addr: client, LocalAddr: server, LocalPort: int(port)}
	if me, err := account.Current(); err == nil {
		connection.User = me.Username
	}
	addr, err1 := netip.ParseAddr(client)
	far, err2 := strconv.ParseUint(clientPort, 10, 16)
	if err1 == nil && err2 == nil && far != 0 {
		addr = addr.WithZone("").Unmap()
		peer = sockets.Endpoint{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Port: uint16(far)}
	}
	return connection, peer
}
