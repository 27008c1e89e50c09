package middlebox

import "time"

// standards are what a NAT ought to do, and what homes and phones are behind.
func standards() []Box {
	return []Box{
		{
			Name: "rfc5382", Title: "a NAT that follows RFC 5382, REQ-5",
			Idle: 7440 * time.Second, OnExpiry: Unknown, Layer: L4,
			Source: "https://www.rfc-editor.org/rfc/rfc5382", Confidence: High,
			Note: "the least it may do for an established connection; 240 s while one is opened or closed. Many remember less.",
		},
		{
			Name: "home-nat", Aliases: []string{"home-router", "fritzbox"}, Title: "a home router; the shortest of 34 models",
			Idle: 239 * time.Second, OnExpiry: Silent, Layer: L4,
			Source: "Hätönen et al., An Experimental Study of Home Gateway Characteristics, IMC 2010", Confidence: Medium,
			Note: "the median was about an hour, and several models remembered for more than a day",
		},
		{
			Name: "mobile", Aliases: []string{"cellular", "cgn", "cgnat"}, Title: "a mobile carrier, or another carrier-grade NAT",
			Idle: 60 * time.Second, OnExpiry: Silent, Layer: L4,
			Source: "Wang et al., An Untold Story of Middleboxes in Cellular Networks, SIGCOMM 2011", Confidence: Low,
			Note: "a cautious value to plan with, no measurement: carriers remember for minutes to tens of minutes, some for less than 300 s",
		},
	}
}

// software are boxes made of programs that anybody can install.
func software() []Box {
	return []Box{
		{
			Name: "conntrack", Aliases: []string{"linux-nat", "nf-conntrack", "iptables", "nftables", "netfilter"}, Title: "Linux connection tracking: NAT, stateful firewall",
			Idle: 432000 * time.Second, Setting: "net.netfilter.nf_conntrack_tcp_timeout_established",
			OnExpiry: Varies, Layer: L4,
			Source: "net/netfilter/nf_conntrack_proto_tcp.c, tcp_timeouts", Confidence: High,
			Note: "300 s while sent data is unacknowledged or retransmitted. After that a NAT mapping is lost; a filter without NAT picks the connection up again where nf_conntrack_tcp_loose is 1, and drops it where not.",
		},
		{
			Name: "openwrt", Title: "OpenWrt router",
			Idle: 7440 * time.Second, Setting: "net.netfilter.nf_conntrack_tcp_timeout_established",
			OnExpiry: Varies, Layer: L4,
			Source: "OpenWrt, the sysctl file it ships", Confidence: High,
			Note: "as conntrack",
		},
		{
			Name: "ipvs", Aliases: []string{"lvs", "kube-proxy-ipvs"}, Title: "IPVS; Kubernetes' kube-proxy in its mode ipvs",
			Idle: 900 * time.Second, Setting: "ipvsadm --set TCP TCPFIN UDP; kube-proxy --ipvs-tcp-timeout",
			OnExpiry: Varies, Layer: L4,
			Source: "net/netfilter/ipvs/ip_vs_proto_tcp.c, tcp_timeouts; https://github.com/kubernetes/kubernetes/issues/84041", Confidence: High,
			Note: "nothing is said when the time is over; the next packet is reset or dropped",
		},
		{
			Name: "docker-swarm", Aliases: []string{"swarm"}, Title: "Docker swarm, its ingress network (IPVS)",
			Idle: 900 * time.Second, Fixed: true, OnExpiry: Varies, Layer: L4,
			Source: "https://github.com/easzlab/kubeasz/issues/688", Confidence: Medium,
			Note: "as ipvs; swarm has no setting for it",
		},
		{
			Name: "kube-proxy", Aliases: []string{"kube-proxy-iptables"}, Title: "Kubernetes' kube-proxy in its mode iptables (conntrack)",
			Idle: 86400 * time.Second, Setting: "kube-proxy --conntrack-tcp-timeout-established",
			OnExpiry: Silent, Layer: L4,
			Source: "https://github.com/kubernetes/kubernetes/issues/71358", Confidence: Medium,
			Note: "it sets nf_conntrack_tcp_timeout_established of the node",
		},
		{
			Name: "pf", Aliases: []string{"openbsd", "freebsd", "pfsense", "opnsense"}, Title: "pf: OpenBSD, FreeBSD, pfSense, macOS",
			Idle: 86400 * time.Second, Setting: "set timeout tcp.established",
			OnExpiry: Silent, Layer: L4,
			Source: "OpenBSD, sys/net/pfvar.h, PFTM_TCP_ESTABLISHED_VAL", Confidence: High,
			Note: "set optimization changes it: 18000 s when aggressive, 432000 s when conservative",
		},
		{
			Name: "haproxy", Title: "HAProxy, mode tcp or http",
			Idle: 50 * time.Second, Setting: "timeout client, timeout server, timeout tunnel (milliseconds)",
			OnExpiry: Closed, Layer: L7,
			Source: "HAProxy, doc/configuration.txt", Confidence: High,
			Note: "the value of configurations as they are shipped; where none is set it never ends a connection, and warns",
		},
		{
			Name: "nginx-stream", Title: "nginx, module stream: proxy_timeout",
			Idle: 600 * time.Second, Setting: "proxy_timeout",
			OnExpiry: Closed, Layer: L7,
			Source: "nginx, src/stream/ngx_stream_proxy_module.c", Confidence: High,
		},
		{
			Name: "nginx-http", Title: "nginx, HTTP clients between requests: keepalive_timeout",
			Idle: 75 * time.Second, Setting: "keepalive_timeout",
			OnExpiry: Closed, Layer: L7,
			Source: "https://nginx.org/en/docs/http/ngx_http_core_module.html", Confidence: Medium,
		},
		{
			Name: "nginx-proxy", Aliases: []string{"nginx-websocket", "ingress-nginx"}, Title: "nginx, proxied HTTP and WebSocket: proxy_read_timeout",
			Idle: 60 * time.Second, Setting: "proxy_read_timeout, proxy_send_timeout",
			OnExpiry: Closed, Layer: L7,
			Source: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html", Confidence: Medium,
		},
		{
			Name: "envoy", Title: "Envoy: idle_timeout of the TCP proxy, and of HTTP connections",
			Idle: 3600 * time.Second, Setting: "idle_timeout; 0s switches it off",
			OnExpiry: Closed, Layer: L7,
			Source: "https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts", Confidence: High,
		},
		{
			Name: "istio", Aliases: []string{"istio-sidecar", "service-mesh"}, Title: "Istio, the sidecar (Envoy)",
			Idle: 3600 * time.Second, Setting: "DestinationRule, connectionPool.tcp.idleTimeout",
			OnExpiry: Closed, Layer: L7,
			Source: "https://istio.io/latest/docs/reference/config/networking/destination-rule/", Confidence: Medium,
			Note: "as envoy",
		},
	}
}
