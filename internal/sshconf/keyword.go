package sshconf

import (
	"strings"
	"sync"
)

// KnownKeyword reports whether some release of OpenSSH up to 10.2, or Debian's, takes a
// keyword in a file of ssh or sshd; what was given up, it ignores. Source: readconf.c and
// servconf.c, keywords.
func KnownKeyword(server bool, keyword string) bool {
	own := ofClient
	if server {
		own = ofServer
	}
	k := strings.ToLower(keyword)
	return own()[k] || ofBoth()[k]
}

// Keywords are all that [KnownKeyword] knows, in lower case.
func Keywords(server bool) []string {
	var all []string
	for _, list := range []func() map[string]bool{ofClient, ofServer, ofBoth} {
		for k := range list() {
			if KnownKeyword(server, k) {
				all = append(all, k)
			}
		}
	}
	return all
}

var (
	ofClient = setOf(`addkeystoagent batchmode bindaddress bindinterface canonicaldomains canonicalizefallbacklocal
		canonicalizehostname canonicalizemaxdots canonicalizepermittedcnames certificatefile checkhostip
		cipher clearallforwardings compressionlevel connectionattempts connecttimeout controlmaster
		controlpath controlpersist dynamicforward enableescapecommandline enablesshkeysign escapechar
		exitonforwardfailure fallbacktorsh forkafterauthentication forwardagent forwardx11 forwardx11timeout
		forwardx11trusted globalknownhostsfile globalknownhostsfile2 gssapiclientidentity
		gssapidelegatecredentials gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns
		hashknownhosts host hostbasedkeytypes hostkeyalias hostname identitiesonly identityagent
		identityfile identityfile2 ignoreunknown kbdinteractivedevices knownhostscommand localcommand
		localforward nohostauthenticationforlocalhost numberofpasswordprompts obscurekeystroketiming
		permitlocalcommand permitremoteopen pkcs11provider preferredauthentications protocolkeepalives
		proxycommand proxyjump proxyusefdpass remotecommand remoteforward requesttty revokedhostkeys sendenv
		serveralivecountmax serveraliveinterval sessiontype setuptimeout smartcarddevice stdinnull
		stricthostkeychecking tag tisauthentication tunnel tunneldevice updatehostkeys useblacklistedkeys
		useprivilegedport user userknownhostsfile userknownhostsfile2 useroaming usersh verifyhostkeydns
		visualhostkey`)
	ofServer = setOf(`acceptenv allowagentforwarding allowgroups allowstreamlocalforwarding allowtcpforwarding allowusers
		authenticationmethods authorizedkeyscommand authorizedkeyscommanduser authorizedkeysfile
		authorizedkeysfile2 authorizedprincipalscommand authorizedprincipalscommanduser
		authorizedprincipalsfile banner checkmail chrootdirectory clientalivecountmax clientaliveinterval
		debianbanner denygroups denyusers disableforwarding exposeauthinfo forcecommand
		gssapicleanupcredentials gssapicleanupcreds gssapistorecredentialsonrekey gssapistrictacceptorcheck
		gssapiusesessioncredcache gssusesessionccache hostbasedacceptedkeytypes
		hostbasedusesnamefrompacketonly hostcertificate hostdsakey hostkey hostkeyagent ignorerhosts
		ignoreuserknownhosts kerberosgetafstoken kerberosorlocalpasswd kerberosticketcleanup
		keyregenerationinterval listenaddress logingracetime maxauthtries maxsessions maxstartups modulifile
		pamauthenticationviakbdint permitblacklistedkeys permitemptypasswords permitlisten permitopen
		permitrootlogin permittty permittunnel permituserenvironment permituserrc persourcemaxstartups
		persourcenetblocksize persourcepenalties persourcepenaltyexemptlist pidfile printlastlog printmotd
		pubkeyauthoptions rdomain reversemappingcheck revokedkeys serverkeybits sshdauthpath sshdsessionpath
		strictmodes subsystem trustedusercakeys unusedconnectiontimeout usedns uselogin usepam
		useprivilegeseparation verifyreversemapping x11displayoffset x11forwarding x11uselocalhost`)
	ofBoth = setOf(`addressfamily afstokenpassing casignaturealgorithms challengeresponseauthentication channeltimeout
		ciphers compression dsaauthentication fingerprinthash gatewayports gssapiauthentication
		gssapikexalgorithms gssapikeyexchange hostbasedacceptedalgorithms hostbasedauthentication
		hostkeyalgorithms include ipqos kbdinteractiveauthentication keepalive kerberosauthentication
		kerberostgtpassing kexalgorithms loglevel logverbose macs match passwordauthentication port protocol
		pubkeyacceptedalgorithms pubkeyacceptedkeytypes pubkeyauthentication refuseconnection rekeylimit
		requiredrsasize rhostsauthentication rhostsrsaauthentication securitykeyprovider setenv
		skeyauthentication streamlocalbindmask streamlocalbindunlink syslogfacility tcpkeepalive
		versionaddendum warnweakcrypto xauthlocation`)
)

// setOf makes a set of a list when it is first wanted.
func setOf(list string) func() map[string]bool {
	return sync.OnceValue(func() map[string]bool {
		set := map[string]bool{}
		for k := range strings.FieldsSeq(list) {
			set[k] = true
		}
		return set
	})
}
