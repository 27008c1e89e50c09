package middlebox

import "time"

// appliances are firewalls and routers bought as such.
func appliances() []Box {
	return []Box{
		{
			Name: "cisco-asa", Aliases: []string{"asa", "cisco-ftd"}, Title: "Cisco ASA, Firepower Threat Defense",
			Idle: 3600 * time.Second, Setting: "timeout conn; set connection timeout",
			OnExpiry: Silent, Layer: L4,
			Source: "https://www.cisco.com, document 222075, Configure Connection Timeout", Confidence: High,
			Note: "it resets where the option reset is given; dead connection detection can ask both ends instead",
		},
		{
			Name: "cisco-ios-nat", Aliases: []string{"cisco-nat", "cisco-ios"}, Title: "Cisco IOS, NAT",
			Idle: 86400 * time.Second, Setting: "ip nat translation tcp-timeout",
			OnExpiry: Silent, Layer: L4,
			Source: "Cisco IOS IP Addressing Services Command Reference, ip nat translation", Confidence: High,
			Note: "the mapping is lost",
		},
		{
			Name: "cisco-rv120w", Title: "Cisco RV120W, a small-business router",
			Idle: 1800 * time.Second, Setting: "session settings of the firewall",
			OnExpiry: Silent, Layer: L4,
			Source: "Cisco, the RV120W device emulator", Confidence: High,
		},
		{
			Name: "juniper-srx", Aliases: []string{"srx"}, Title: "Juniper SRX",
			Idle: 1800 * time.Second, Setting: "inactivity-timeout of the application",
			OnExpiry: Silent, Layer: L4,
			Source: "https://www.juniper.net/documentation, policy-application-timeout", Confidence: High,
		},
		{
			Name: "juniper-ms", Title: "Juniper services interface (MS-MPC and others)",
			Idle: 30 * time.Second, Min: 4 * time.Second, Max: 86400 * time.Second, Setting: "inactivity-timeout of services-options",
			OnExpiry: Silent, Layer: L4,
			Source: "https://www.juniper.net/documentation, services-options", Confidence: High,
		},
		{
			Name: "fortigate", Aliases: []string{"fortinet", "fortios"}, Title: "Fortinet FortiGate",
			Idle: 3600 * time.Second, Min: 300 * time.Second, Max: 2764800 * time.Second, Setting: "config system session-ttl",
			OnExpiry: Silent, Layer: L4,
			Source: "https://community.fortinet.com, ta-p/194357", Confidence: High,
		},
		{
			Name: "paloalto", Aliases: []string{"palo-alto", "pan-os"}, Title: "Palo Alto PAN-OS",
			Idle: 3600 * time.Second, Min: 1 * time.Second, Max: 15999999 * time.Second, Setting: "session timeout TCP; each application can have its own",
			OnExpiry: Silent, Layer: L4,
			Source: "https://docs.paloaltonetworks.com, Configure Session Timeouts", Confidence: High,
			Note: "an application it knows, such as ssh, may have a value of its own",
		},
		{
			Name: "checkpoint", Aliases: []string{"check-point"}, Title: "Check Point",
			Idle: 3600 * time.Second, Setting: "TCP session timeout",
			OnExpiry: Silent, Layer: L4,
			Source: "https://ipv4security.com, tcp_timeout.txt", Confidence: Medium,
			Note: "later packets are dropped as out of state",
		},
		{
			Name: "forcepoint", Aliases: []string{"stonesoft"}, Title: "Forcepoint NGFW, Stonesoft",
			Idle: 1800 * time.Second, Setting: "Advanced Settings, Idle Timeouts",
			OnExpiry: Silent, Layer: L4,
			Source: "https://help.stonesoft.com, Set connection timeouts", Confidence: High,
		},
		{
			Name: "sonicwall", Title: "SonicWall",
			Idle: 900 * time.Second, Setting: "Default TCP Connection Timeout",
			OnExpiry: Silent, Layer: L4,
			Source: "no document was read", Confidence: Low,
			Note: "300 s with older SonicOS, such as 5.8",
		},
		{
			Name: "mikrotik", Aliases: []string{"routeros"}, Title: "MikroTik RouterOS",
			Idle: 86400 * time.Second, Setting: "/ip firewall connection tracking, tcp-established-timeout",
			OnExpiry: Silent, Layer: L4,
			Source: "exported configurations of several routers", Confidence: Medium,
		},
		{
			Name: "nokia-7750", Title: "Nokia 7750 SR, large-scale NAT",
			Idle: 7440 * time.Second, Setting: "timeouts tcp-established",
			OnExpiry: Silent, Layer: L4,
			Source: "no document was read", Confidence: Low,
			Note: "typical; the operator sets it",
		},
	}
}
