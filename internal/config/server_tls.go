package config

import (
	"strings"
	"time"
)

// TLS, as Kafka's ssl.* settings say. `listener.name.<name>.ssl…` is for one listener. What is written is read by tlsstore, which
// reads them for the tools too; here they have their places in the table.
var (
	SSLKeystoreType = stringSetting(Row{Name: "ssl.keystore.type", Default: "JKS", Room: inTLSStore, Update: PerBroker,
		Doc: "The type of the key store: PEM, PKCS12 or JKS; as in Java, each of the last two is read for the other."})

	SSLKeystoreLocation = stringSetting(Row{Name: "ssl.keystore.location", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The file of the key store: with the broker's private key, its certificate and those that issued it. A PEM file has them one after another; of type PEM a directory is one too, with tls.key and tls.crt in it, as Kubernetes mounts a Secret of type kubernetes.io/tls. It is read again when it changes."})

	SSLKeystorePassword = passwordSetting(Row{Name: "ssl.keystore.password", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The password of the key store; one of type PEM has none."})

	SSLKeyPassword = passwordSetting(Row{Name: "ssl.key.password", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The password of the private key: that of the store unless given."})

	SSLKeystoreKey = passwordSetting(Row{Name: "ssl.keystore.key", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The private key itself, as PEM (KIP-651), in place of ssl.keystore.location."})

	SSLKeystoreChain = passwordSetting(Row{Name: "ssl.keystore.certificate.chain", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The certificate of ssl.keystore.key and those that issued it, as PEM."})

	SSLTruststoreType = stringSetting(Row{Name: "ssl.truststore.type", Default: "JKS", Room: inTLSStore, Update: PerBroker,
		Doc: "The type of the trust store: PEM, PKCS12 or JKS."})

	SSLTruststoreLocation = stringSetting(Row{Name: "ssl.truststore.location", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The file of the trust store: with the certificates of those who issue clients' and other brokers' certificates. Without one the system's are trusted. It is read again when it changes."})

	SSLTruststorePassword = passwordSetting(Row{Name: "ssl.truststore.password", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The password of the trust store; without one a store of type JKS is read unchecked."})

	SSLTruststoreCertificates = passwordSetting(Row{Name: "ssl.truststore.certificates", Null: true, Room: inTLSStore, Update: PerBroker,
		Doc: "The trusted certificates themselves, as PEM (KIP-651), in place of ssl.truststore.location."})

	SSLClientAuth = stringSetting(Row{Name: "ssl.client.auth", Default: "none", Room: inTLSStore, Update: PerBroker,
		check: oneOf("required", "requested", "none"),
		Doc:   "Whether clients show a certificate: never, if they have one, or always."})

	SSLEnabledProtocols = listSetting(Row{Name: "ssl.enabled.protocols", Default: "TLSv1.2,TLSv1.3", Room: inTLSStore, Update: PerBroker,
		Doc: "The versions of TLS that are spoken, without a gap between: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3."})

	SSLProtocol = stringSetting(Row{Name: "ssl.protocol", Default: "TLSv1.3", Room: inTLSStore, Update: PerBroker,
		Doc: "Java's name for its implementation: TLS or a version. Which versions are spoken is said by ssl.enabled.protocols."})

	SSLCipherSuites = listSetting(Row{Name: "ssl.cipher.suites", Room: inTLSStore, Update: PerBroker,
		Doc: "The cipher suites that may be used, by Java's or Go's names; empty is Go's choice. Of TLS 1.3 TLS_AES_128_GCM_SHA256 must be among them: Go takes it first."})

	SSLEndpointIdentification = stringSetting(Row{Name: "ssl.endpoint.identification.algorithm", Default: "https", Room: inTLSStore, Update: PerBroker,
		Doc: "Whether a broker that connects to another one looks for its advertised name, or its address, in its certificate: https, or empty for no."})

	SSLHandshakeTimeout = msSetting(Int, Row{Name: "barnabas.ssl.handshake.timeout.ms", Default: "10000", Room: inServer, check: atLeast[int64](1),
		Doc: "How long a client may take over its TLS handshake, the wait for its turn included."})

	SSLHandshakesMax = intSetting(Row{Name: "barnabas.ssl.handshakes.max", Default: "1000", Room: inServer, check: atLeast[int64](1),
		Doc: "How many TLS handshakes are under way at once; one more waits for its turn."})

	SSLReloadInterval = msSetting(Int, Row{Name: "barnabas.ssl.reload.interval.ms", Default: "10000", Room: inBroker, check: atLeast[int64](0),
		Doc: "How often the files of key stores and trust stores are looked at; what has changed holds for new connections. 0 never looks."})
)

// sslRows are the settings that listeners may have of their own.
func sslRows() []*Def {
	return []*Def{
		SSLKeystoreType.Def, SSLKeystoreLocation.Def, SSLKeystorePassword.Def, SSLKeyPassword.Def, SSLKeystoreKey.Def,
		SSLKeystoreChain.Def, SSLTruststoreType.Def, SSLTruststoreLocation.Def, SSLTruststorePassword.Def,
		SSLTruststoreCertificates.Def, SSLClientAuth.Def, SSLEnabledProtocols.Def, SSLProtocol.Def, SSLCipherSuites.Def,
		SSLEndpointIdentification.Def,
	}
}

// prefixOf begins the names of a listener's own settings.
func prefixOf(listener string) string { return "listener.name." + strings.ToLower(listener) + "." }

// sslOfListener reports whether a name is that of a listener's own ssl setting, and of which listener.
func sslOfListener(name string) (listener string, is bool) {
	prefix := listenerPrefix().FindString(name)
	if prefix == "" {
		return "", false
	}
	base := name[len(prefix):]
	for _, d := range sslRows() {
		if d.Name == base {
			return strings.TrimSuffix(strings.TrimPrefix(prefix, "listener.name."), "."), true
		}
	}
	return "", false
}

// SSL are the ssl.* settings of a listener, by name, as they were written: its own first, then the broker's. Those that nobody has
// given are not there.
func (v *View) SSL(listener string) map[string]string {
	prefix := prefixOf(listener)
	settings := map[string]string{}
	for _, d := range sslRows() {
		for _, name := range []string{prefix + d.Name, d.Name} {
			if written, ok := v.layers.written(name); ok {
				settings[d.Name] = written
				break
			}
		}
	}
	return settings
}

// written is what the best layer that has a name says.
func (l *layers) written(name string) (string, bool) {
	for _, layer := range []map[string]string{l.brokerDynamic, l.clusterDynamic, l.static} {
		if written, ok := layer[name]; ok {
			return written, true
		}
	}
	return "", false
}

// SSLHandshake is what bounds TLS handshakes.
func (v *View) SSLHandshake() (timeout time.Duration, atOnce int) {
	return SSLHandshakeTimeout.In(v), SSLHandshakesMax.In(v)
}
