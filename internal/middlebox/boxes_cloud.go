package middlebox

import "time"

// clouds are what the providers run.
func clouds() []Box {
	return []Box{
		{
			Name: "aws-nlb", Aliases: []string{"nlb"}, Title: "AWS Network Load Balancer, TCP listener",
			Idle: 350 * time.Second, Min: 60 * time.Second, Max: 6000 * time.Second, Setting: "listener attribute tcp.idle_timeout.seconds",
			OnExpiry: Reset, Layer: L4,
			Source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html", Confidence: High,
			Note: "configurable since 2024-09; a packet after that is answered with a reset",
		},
		{
			Name: "aws-nlb-tls", Title: "AWS Network Load Balancer, TLS listener",
			Idle: 350 * time.Second, Fixed: true, OnExpiry: Closed, Layer: L7,
			Source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html", Confidence: High,
			Note: "That TCP keepalive does not help follows from its ending the connection; no document was seen that says so.",
		},
		{
			Name: "aws-gwlb", Aliases: []string{"gwlb"}, Title: "AWS Gateway Load Balancer",
			Idle: 350 * time.Second, Min: 60 * time.Second, Max: 6000 * time.Second, Setting: "listener attribute tcp.idle_timeout.seconds",
			OnExpiry: Silent, Layer: L4,
			Source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/update-idle-timeout.html", Confidence: High,
			Note: "it resets where the listener attribute send_tcp_reset.on_idle_timeout.enabled is true; the default is false",
		},
		{
			Name: "aws-nat", Aliases: []string{"aws-nat-gateway", "natgw"}, Title: "AWS NAT gateway",
			Idle: 350 * time.Second, Fixed: true, OnExpiry: Reset, Layer: L4,
			Source: "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html", Confidence: High,
			Note: "the next packet is answered with a reset, there is no FIN",
		},
		{
			Name: "aws-ec2-nitro6", Aliases: []string{"aws-sg-nitro6", "nitro-v6"}, Title: "AWS security groups, instances of Nitro version 6",
			Idle: 350 * time.Second, Min: 60 * time.Second, Max: 432000 * time.Second, Setting: "TcpEstablishedTimeout of the network interface",
			OnExpiry: Silent, Layer: L4,
			Source: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ConnectionTrackingConfiguration.html", Confidence: High,
		},
		{
			Name: "aws-ec2", Aliases: []string{"aws-sg", "aws-security-group"}, Title: "AWS security groups, instances before Nitro version 6",
			Idle: 432000 * time.Second, Min: 60 * time.Second, Max: 432000 * time.Second, Setting: "TcpEstablishedTimeout of the network interface",
			OnExpiry: Silent, Layer: L4,
			Source: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ConnectionTrackingConfiguration.html", Confidence: High,
		},
		{
			Name: "aws-privatelink", Aliases: []string{"aws-vpce", "aws-vpc-endpoint"}, Title: "AWS interface endpoint of a VPC (PrivateLink)",
			Idle: 350 * time.Second, Fixed: true, OnExpiry: Silent, Layer: L4,
			Source: "AWS Networking blog, Implementing long-running TCP connections within VPC networking", Confidence: High,
		},
		{
			Name: "aws-firewall", Aliases: []string{"aws-network-firewall"}, Title: "AWS Network Firewall",
			Idle: 350 * time.Second, Min: 60 * time.Second, Max: 6000 * time.Second, Setting: "FlowTimeouts, TcpIdleTimeoutSeconds",
			OnExpiry: Silent, Layer: L4,
			Source: "https://docs.aws.amazon.com/network-firewall/latest/APIReference/API_FlowTimeouts.html", Confidence: High,
		},
		{
			Name: "aws-alb", Aliases: []string{"alb"}, Title: "AWS Application Load Balancer",
			Idle: 60 * time.Second, Min: 1 * time.Second, Max: 4000 * time.Second, Setting: "load balancer attribute idle_timeout.timeout_seconds",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html", Confidence: High,
		},
		{
			Name: "aws-clb", Aliases: []string{"aws-elb", "clb"}, Title: "AWS Classic Load Balancer",
			Idle: 60 * time.Second, Min: 1 * time.Second, Max: 3600 * time.Second, Setting: "ConnectionSettings, IdleTimeout",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html", Confidence: High,
			Note: "its documentation says that TCP keepalive probes do not keep it from closing",
		},
		{
			Name: "aws-ga", Aliases: []string{"aws-global-accelerator"}, Title: "AWS Global Accelerator",
			Idle: 340 * time.Second, Fixed: true, OnExpiry: Silent, Layer: L4,
			Source: "https://docs.aws.amazon.com/global-accelerator/latest/dg/introduction-how-it-works.html (not read)", Confidence: Low,
			Note: "For some endpoints it ends TCP at its edge; then TCP keepalive does not help. Test it.",
		},
		{
			Name: "azure-lb", Aliases: []string{"azure-public-ip"}, Title: "Azure Load Balancer, or a public IP address",
			Idle: 240 * time.Second, Min: 240 * time.Second, Max: 6000 * time.Second, Setting: "idleTimeoutInMinutes of the rule or the address",
			OnExpiry: Silent, Layer: L4,
			Source: "https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset", Confidence: High,
			Note: "it resets both ends where enableTcpReset is set; the Basic one goes to 1800 s only",
		},
		{
			Name: "azure-nat", Aliases: []string{"azure-nat-gateway"}, Title: "Azure NAT gateway",
			Idle: 240 * time.Second, Min: 240 * time.Second, Max: 7200 * time.Second, Setting: "idleTimeoutInMinutes",
			OnExpiry: Reset, Layer: L4,
			Source: "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource", Confidence: High,
			Note: "nothing is said when the time is over; the next packet is answered with a reset",
		},
		{
			Name: "azure-firewall", Title: "Azure Firewall, to and from the Internet",
			Idle: 240 * time.Second, Setting: "a support request; to 15 minutes, newer documents say 30",
			OnExpiry: Reset, Layer: L4,
			Source: "https://learn.microsoft.com/azure/firewall/tcp-session-behavior", Confidence: High,
		},
		{
			Name: "azure-firewall-east-west", Title: "Azure Firewall, between private networks",
			Idle: 300 * time.Second, Fixed: true, OnExpiry: Silent, Layer: L4,
			Source: "https://learn.microsoft.com/azure/firewall/tcp-session-behavior", Confidence: Medium,
			Note: "an older page said that there is no limit",
		},
		{
			Name: "azure-vnet", Title: "Azure virtual network, its flow timeout",
			Idle: 240 * time.Second, Min: 240 * time.Second, Max: 1800 * time.Second, Setting: "flowTimeoutInMinutes of the virtual network",
			OnExpiry: Silent, Layer: L4,
			Source: "https://learn.microsoft.com/azure/virtual-network (the setting; the default was not read)", Confidence: Low,
		},
		{
			Name: "gcp-vpc", Aliases: []string{"gce", "gcp-firewall"}, Title: "Google Cloud VPC, connection tracking of its firewall",
			Idle: 600 * time.Second, Fixed: true, OnExpiry: Silent, Layer: L4,
			Source: "https://cloud.google.com/compute/docs/troubleshooting/general-tips", Confidence: High,
			Note: "packets to the VM are blocked until it sends one itself",
		},
		{
			Name: "gcp-nat", Aliases: []string{"gcp-cloud-nat", "cloud-nat"}, Title: "Google Cloud NAT",
			Idle: 1200 * time.Second, Setting: "--tcp-established-idle-timeout",
			OnExpiry: Silent, Layer: L4,
			Source: "https://cloud.google.com/nat/docs/tune-nat-configuration", Confidence: Medium,
		},
		{
			Name: "gcp-alb", Aliases: []string{"gcp-https-lb"}, Title: "Google Cloud HTTP(S) Load Balancer, connections to backends",
			Idle: 600 * time.Second, Fixed: true, OnExpiry: Closed, Layer: L7,
			Source: "https://www.jhanley.com", Confidence: Medium,
			Note: "another limit, on the response, is 30 s by default and ends WebSockets, too",
		},
		{
			Name: "oci-nlb", Title: "Oracle Cloud Network Load Balancer",
			Idle: 360 * time.Second, Setting: "tcp-idle-timeout of the listener",
			OnExpiry: Unknown, Layer: L4,
			Source: "Oracle Cloud Infrastructure, Network Load Balancer: Configuring idle timeout", Confidence: High,
		},
		{
			Name: "oci-lb-tcp", Aliases: []string{"oci-lb"}, Title: "Oracle Cloud Load Balancer, TCP listener",
			Idle: 300 * time.Second, Setting: "idle timeout of the listener",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.oracle.com/en-us/iaas/Content/Balance/Reference/connectionreuse.htm", Confidence: Medium,
		},
		{
			Name: "oci-lb-http", Title: "Oracle Cloud Load Balancer, HTTP listener",
			Idle: 60 * time.Second, Setting: "idle timeout of the listener",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.oracle.com/en-us/iaas/Content/Balance/Reference/connectionreuse.htm", Confidence: Medium,
			Note: "between requests it keeps clients for 65 s and backends for 300 s",
		},
		{
			Name: "digitalocean-lb", Aliases: []string{"do-lb"}, Title: "DigitalOcean Load Balancer",
			Idle: 60 * time.Second, Setting: "HTTP idle timeout of the load balancer",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.digitalocean.com/products/networking/load-balancers/support/", Confidence: High,
			Note: "a request that is being answered ends with status 504",
		},
		{
			Name: "cloudflare", Title: "Cloudflare HTTP proxy, the client's side",
			Idle: 400 * time.Second, Fixed: true, OnExpiry: Closed, Layer: L7,
			Source: "https://developers.cloudflare.com/fundamentals/reference/connection-limits/", Confidence: High,
		},
		{
			Name: "cloudflare-origin", Title: "Cloudflare HTTP proxy, the origin's side",
			Idle: 900 * time.Second, Fixed: true, OnExpiry: Closed, Layer: L7,
			Source: "https://developers.cloudflare.com/fundamentals/reference/connection-limits/", Confidence: High,
		},
	}
}
