package config

import (
	"errors"
	"maps"
	"testing"
)

func TestSSLOfListeners(t *testing.T) {
	b := mustLoad(t, `listeners=SSL://127.0.0.1:9093,CLIENTS://127.0.0.1:9094
listener.security.protocol.map=SSL:SSL,CLIENTS:SSL
security.inter.broker.protocol=SSL
ssl.keystore.location=/k
ssl.keystore.password=secret
listener.name.clients.ssl.keystore.location=/c
listener.name.clients.ssl.client.auth=required
`, nil)
	if got, want := b.View().SSL("SSL"), map[string]string{
		"ssl.keystore.location": "/k", "ssl.keystore.password": "secret",
	}; !maps.Equal(got, want) {
		t.Errorf("SSL has %v", got)
	}
	if got, want := b.View().SSL("CLIENTS"), map[string]string{
		"ssl.keystore.location": "/c", "ssl.keystore.password": "secret", "ssl.client.auth": "required",
	}; !maps.Equal(got, want) {
		t.Errorf("CLIENTS has %v", got)
	}
	if b.InterBroker != "SSL" {
		t.Errorf("brokers use %s", b.InterBroker)
	}
	dynamic := b.View().WithDynamic(nil, map[string]string{"listener.name.clients.ssl.keystore.location": "/d"})
	if got := dynamic.SSL("clients")["ssl.keystore.location"]; got != "/d" {
		t.Errorf("the dynamic key store is %s", got)
	}
	for _, e := range dynamic.DescribeBroker(1) {
		switch e.Name {
		case "ssl.keystore.password":
			if e.Value != nil || !e.Sensitive {
				t.Errorf("%s is shown", e.Name)
			}
		case "listener.name.clients.ssl.keystore.location":
			if e.Value == nil || *e.Value != "/d" || e.Source != DynamicBroker || len(e.Synonyms) != 3 {
				t.Errorf("%s is described as %+v", e.Name, e)
			}
		}
	}
}

func TestListenersOwnSettingsAreChecked(t *testing.T) {
	_, _, err := Load(Sources{Overrides: []string{
		"listeners=SSL://127.0.0.1:9093", "security.inter.broker.protocol=SSL", "listener.name.ssl.ssl.client.auth=maybe"}})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 {
		t.Errorf("the error is %v", err)
	}
}

func TestSecretFiles(t *testing.T) {
	b, _, err := Load(Sources{
		Env: []string{"KAFKA_LISTENERS=SSL://127.0.0.1:9093", "KAFKA_SECURITY_INTER_BROKER_PROTOCOL=SSL",
			"KAFKA_SSL_KEYSTORE_FILENAME=kafka.jks", "KAFKA_SSL_KEYSTORE_CREDENTIALS=creds"},
		ReadFile: func(name string) ([]byte, error) { return []byte("content of " + name + "\n"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.View().SSL("SSL"), map[string]string{
		"ssl.keystore.location": "/etc/kafka/secrets/kafka.jks", "ssl.keystore.password": "content of /etc/kafka/secrets/creds",
	}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
