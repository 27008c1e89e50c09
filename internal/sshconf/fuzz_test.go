package sshconf

import (
	"testing"
)

// FuzzFind reads anything as the configuration of ssh and of sshd.
func FuzzFind(f *testing.F) {
	f.Add([]byte("Host web1 # first\n\tServerAliveInterval=5m\nHost *\nTCPKeepAlive no\nServerAliveCountMax 2\n"), "ServerAliveInterval=5")
	f.Add([]byte("ClientAliveInterval 1m\nMatch User bob\n ClientAliveCountMax 4\nInclude /nowhere/*.conf\n"), "ServerAliveInterval=5")
	f.Add([]byte("Match final\nServerAliveInterval 1\nHost *\nServerAliveInterval 2\n"), "clientaliveinterval \"7")
	f.Fuzz(func(t *testing.T, content []byte, option string) {
		const path = "/nowhere/config"
		o := &Overlay{Path: path, Content: content}
		client, err := FindClient(Client{Host: "h", LocalUser: "u", Home: "/nowhere", UserFile: path, Options: []string{option}, Instead: o})
		server, err2 := FindServer(Server{File: path, Dir: "/nowhere", Options: []string{option}, Instead: o})
		for _, found := range []Findings{client, server} {
			for _, s := range found.Shadowed {
				if s.By.Line == 0 || s.Source() == s.By.Source() {
					t.Errorf("%q: %+v", content, s)
				}
			}
		}
		if err == nil && len(client.Settings) != len(ClientKeywords) || err2 == nil && len(server.Settings) != len(ServerKeywords) {
			t.Errorf("%q: %+v, %v; %+v, %v", content, client, err, server, err2)
		}
	})
}
