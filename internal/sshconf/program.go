package sshconf

// A Program is who a file is for.
type Program string

const (
	SSH       Program = "ssh"  // OpenSSH's client
	SSHD      Program = "sshd" // OpenSSH's server
	PuTTY     Program = "putty"
	KiTTY     Program = "kitty"
	WinSCP    Program = "winscp"
	TeraTerm  Program = "teraterm"
	SecureCRT Program = "securecrt"
	Xshell    Program = "xshell"
	MobaXterm Program = "mobaxterm"
	Dropbear  Program = "dropbear" // the server, as OpenWrt starts it
)
