package middlebox

import "time"

// reported are boxes that people name when their connections end, beside those of the
// vendors' lists.
func reported() []Box {
	return []Box{
		{
			Name: "docker-desktop", Aliases: []string{"vpnkit"}, Title: "Docker Desktop, the network of its virtual machine",
			Idle: 300 * time.Second, Setting: "vpnKitMaxPortIdleTime of its settings (seconds)",
			OnExpiry: Closed, Layer: L7,
			Source: "https://github.com/docker/for-mac/issues/5886; https://github.com/moby/vpnkit/issues/234", Confidence: Medium,
		},
		{
			Name: "octavia", Aliases: []string{"openstack-lb", "openstack-octavia"}, Title: "OpenStack Octavia",
			Idle: 50 * time.Second, Setting: "timeout_client_data, timeout_member_data of the listener (milliseconds)",
			OnExpiry: Closed, Layer: L7,
			Source: "https://github.com/kubernetes/cloud-provider-openstack/issues/588", Confidence: High,
		},
		{
			Name: "ovh-lb", Aliases: []string{"ovh", "ovhcloud-lb"}, Title: "OVHcloud Load Balancer",
			Idle: 180 * time.Second, OnExpiry: Closed, Layer: L7,
			Source: "https://github.com/ovh/public-cloud-roadmap/issues/219", Confidence: Medium,
			Note: "the one before Octavia, which can be set: see octavia",
		},
		{
			Name: "kubelet", Aliases: []string{"kubectl-exec", "kubectl-port-forward", "port-forward"}, Title: "Kubernetes' kubelet: kubectl exec, attach, port-forward",
			Idle: 14400 * time.Second, Setting: "streamingConnectionIdleTimeout of the kubelet",
			OnExpiry: Closed, Layer: L7,
			Source: "https://github.com/kubernetes/kubernetes/issues/66661", Confidence: High,
		},
		{
			Name: "cilium", Aliases: []string{"cilium-ct"}, Title: "Cilium, connection tracking in eBPF",
			Idle: 8000 * time.Second, Setting: "bpf-ct-timeout-regular-tcp, bpf-ct-timeout-service-tcp",
			OnExpiry: Silent, Layer: L4,
			Source: "https://github.com/cilium/cilium/pull/27665", Confidence: Medium,
			Note: "21600 s before 1.15",
		},
		{
			Name: "f5", Aliases: []string{"big-ip", "bigip", "f5-bigip"}, Title: "F5 BIG-IP, profile FastL4",
			Idle: 300 * time.Second, Setting: "idle timeout of the profile",
			OnExpiry: Reset, Layer: L4,
			Source: "https://networkengineering.stackexchange.com/questions/3188", Confidence: Medium,
			Note: "A standard virtual server has the same limit and ends the TCP connection: it answers probes itself, on each side.",
		},
		{
			Name: "huawei-elb", Aliases: []string{"huawei-elb-tcp"}, Title: "Huawei Cloud ELB, TCP listener",
			Idle: 300 * time.Second, Min: 10 * time.Second, Max: 4000 * time.Second, Setting: "keepalive_timeout of the listener",
			OnExpiry: Unknown, Layer: L4,
			Source: "Huawei Cloud, Elastic Load Balance, elb_keepalive_timeout", Confidence: High,
		},
		{
			Name: "huawei-elb-http", Title: "Huawei Cloud ELB, HTTP listener",
			Idle: 60 * time.Second, Setting: "keepalive_timeout of the listener",
			OnExpiry: Closed, Layer: L7,
			Source: "Huawei Cloud, Elastic Load Balance, elb_keepalive_timeout", Confidence: High,
		},
		{
			Name: "ecs-service-connect", Aliases: []string{"service-connect"}, Title: "Amazon ECS Service Connect, TCP",
			Idle: 3600 * time.Second, Setting: "idleTimeoutSeconds of TimeoutConfiguration; 0 switches it off",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TimeoutConfiguration.html", Confidence: High,
		},
		{
			Name: "ecs-service-connect-http", Title: "Amazon ECS Service Connect, HTTP, HTTP/2 and gRPC",
			Idle: 300 * time.Second, Setting: "idleTimeoutSeconds of TimeoutConfiguration; 0 switches it off",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TimeoutConfiguration.html", Confidence: High,
		},
		{
			Name: "cloudfront", Aliases: []string{"aws-cloudfront"}, Title: "Amazon CloudFront, WebSocket",
			Idle: 600 * time.Second, Fixed: true, OnExpiry: Closed, Layer: L7,
			Source: "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-working-with.websockets.html", Confidence: Medium,
		},
		{
			Name: "rds-proxy", Aliases: []string{"aws-rds-proxy"}, Title: "Amazon RDS Proxy, its clients",
			Idle: 1800 * time.Second, Min: 1 * time.Second, Max: 28800 * time.Second, Setting: "IdleClientTimeout",
			OnExpiry: Closed, Layer: L7,
			Source: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-managing.html (not read)", Confidence: Medium,
		},
		{
			Name: "heroku", Title: "Heroku, its router",
			Idle: 55 * time.Second, Fixed: true, OnExpiry: Closed, Layer: L7,
			Source: "https://github.com/ryandotsmith/nginx-buildpack/issues/47", Confidence: Medium,
			Note: "each byte, in either direction, begins another 55 s",
		},
		{
			Name: "fly-io", Aliases: []string{"fly"}, Title: "Fly.io, its proxy",
			Idle: 60 * time.Second, OnExpiry: Closed, Layer: L7,
			Source: "reports of its users", Confidence: Medium,
		},
	}
}

// servers are limits of the far end itself. It counts requests: no keepalive of any kind
// makes it wait longer.
func servers() []Box {
	return []Box{
		{
			Name: "kafka", Title: "Kafka, a broker: connections.max.idle.ms",
			Idle: 600 * time.Second, Setting: "connections.max.idle.ms",
			OnExpiry: Closed, Layer: L7, Server: true,
			Source: "https://kafka.apache.org/documentation/#brokerconfigs_connections.max.idle.ms", Confidence: High,
			Note: "clients close idle connections themselves after 540 s",
		},
		{
			Name: "mysql", Aliases: []string{"mariadb", "wait-timeout"}, Title: "MySQL and MariaDB, a server: wait_timeout",
			Idle: 28800 * time.Second, Setting: "wait_timeout, interactive_timeout",
			OnExpiry: Closed, Layer: L7, Server: true,
			Source: "https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_wait_timeout", Confidence: High,
		},
		{
			Name: "cosmosdb", Aliases: []string{"cosmos-db", "azure-cosmosdb"}, Title: "Azure Cosmos DB, its gateway",
			Idle: 1800 * time.Second, Fixed: true, OnExpiry: Closed, Layer: L7, Server: true,
			Source: "reports of its users", Confidence: Medium,
		},
	}
}
