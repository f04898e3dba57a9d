// Package tlsstore makes TLS configurations of Kafka's ssl.* settings: it reads key stores and trust stores (PEM as KIP-651
// has it, PKCS12, JKS), knows Java's names of protocols and cipher suites, and checks the names of peers as Java does. Brokers and tools
// share it. It owns no goroutine: whoever has a [Live] tells it when to look at its files.
package tlsstore
