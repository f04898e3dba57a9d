package config

// The broker's settings: who it is, where it listens, and what it takes from a connection. The rows that name
// listeners, directories and keepers are read by Load, which puts what they say together into a Broker.

// Identity and addresses.
var (
	NodeID = intSetting(Row{Name: "node.id", Aliases: []string{"broker.id"}, Default: "-1", Room: inBroker, check: atLeast[int64](-1),
		Doc: "The broker's number. -1 takes the number that the data directory remembers, or else, for a pod of a StatefulSet, that at the end of its name, or else the lowest above reserved.broker.max.id that no broker has."})

	ReservedBrokerMaxID = intSetting(Row{Name: "reserved.broker.max.id", Default: "0", Room: inBroker, check: atLeast[int64](0),
		Kafka: "1000", Why: "Nobody has to give numbers here, so none need be kept for that.",
		Doc: "Numbers up to this one are never taken by brokers that were given none."})

	BrokerRack = stringSetting(Row{Name: "broker.rack", Null: true, Room: inBroker,
		Doc: "Where the broker stands: replicas are spread over racks, and consumers can read in their own."})

	Listeners = listSetting(Row{Name: "listeners", Default: "PLAINTEXT://127.0.0.1:9092", Room: inServer,
		Kafka: "PLAINTEXT://:9092", Why: "A broker that was told nothing is for its own machine only.",
		Doc: "Where the broker listens: `name://host:port`, separated by commas. An empty host or 0.0.0.0 is every address."})

	AdvertisedListeners = listSetting(Row{Name: "advertised.listeners", Null: true, Room: inServer,
		Doc: "The addresses that clients are told. A listener that is not named here advertises the address it listens on, or the machine's name where that is every address."})

	ListenerSecurityProtocols = listInString(Row{Name: "listener.security.protocol.map", Room: inServer,
		Default: "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
		Doc:     "The security protocol of each listener name. PLAINTEXT and SSL are served; SASL is not yet."})

	InterBrokerListener = stringSetting(Row{Name: "inter.broker.listener.name", Null: true, Room: inServer,
		Doc: "The listener that brokers use among themselves; by default the first one with the protocol of security.inter.broker.protocol."})

	SecurityInterBrokerProtocol = stringSetting(Row{Name: "security.inter.broker.protocol", Default: "PLAINTEXT", Room: inServer,
		check: oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
		Doc:   "The security protocol that brokers use among themselves, where inter.broker.listener.name is not given."})

	HTTPListener = stringSetting(Row{Name: "http.listener", Default: "127.0.0.1:8080", Room: inBroker,
		Doc: "Where health, metrics, profiles and the console are served, as `host:port`. Empty serves none. Where nobody has chosen it and the port is taken, as by another broker of the machine, another port of loopback is, and the log names it."})
)

// Connections and requests.
var (
	MaxConnections = intSetting(Row{Name: "max.connections", Default: "20000", Room: inServer, Update: ClusterWide, check: atLeast[int64](0),
		Kafka: "2147483647", Why: "Without a bound, connections take the memory that records need.",
		Doc: "How many connections the broker holds at once, over all listeners; one more waits, not accepted, until another has gone."})

	MaxConnectionsPerIP = intSetting(Row{Name: "max.connections.per.ip", Default: "2147483647", Room: inServer, Update: ClusterWide, check: atLeast[int64](0),
		Doc: "How many connections one address may hold at once. Behind a NodePort all clients may have a node's address."})

	MaxConnectionsPerIPOverrides = listInString(Row{Name: "max.connections.per.ip.overrides", Room: inServer, Update: ClusterWide, check: addressCounts(),
		Doc: "Other bounds for some addresses or host names: `127.0.0.1:200,client.example:50`."})

	MaxConnectionCreationRate = intSetting(Row{Name: "max.connection.creation.rate", Default: "2147483647", Room: inServer, Update: ClusterWide, check: atLeast[int64](0),
		Doc: "How many new connections a second the broker accepts; the rest wait in the backlog."})

	ConnectionsMaxIdle = msSetting(Long, Row{Name: "connections.max.idle.ms", Default: "600000", Room: inServer,
		Doc: "After how long without a request a connection is closed; negative keeps it for ever."})

	SocketBacklog = intSetting(Row{Name: "socket.listen.backlog.size", Default: "50", Room: inServer, check: atLeast[int64](1),
		Doc: "How many connections the kernel may hold that the broker has not accepted yet."})

	SocketSendBuffer = intSetting(Row{Name: "socket.send.buffer.bytes", Default: "-1", Room: inServer, check: atLeast[int64](-1),
		Kafka: "102400", Why: "A buffer that the kernel sizes itself takes fewer steps to fill a fast link.",
		Doc: "The kernel's send buffer of a connection; -1 leaves it to the kernel."})

	SocketReceiveBuffer = intSetting(Row{Name: "socket.receive.buffer.bytes", Default: "-1", Room: inServer, check: atLeast[int64](-1),
		Kafka: "102400", Why: "With Kafka's the producer's data comes in small steps, and reading it costs half as much again.",
		Doc: "The kernel's receive buffer of a connection; -1 leaves it to the kernel."})

	SocketRequestMaxBytes = intSetting(Row{Name: "socket.request.max.bytes", Default: "104857600", Room: inServer, check: atLeast[int64](1),
		Doc: "How large a request may claim to be; a larger one closes its connection before anything is allocated."})

	QueuedMaxRequests = intSetting(Row{Name: "queued.max.requests", Default: "32", Room: inServer, check: atLeast[int64](1),
		Kafka: "500", Why: "Kafka's bound is over all connections; clients pipeline 5.",
		Doc: "How many requests of one connection may wait for their answers before the broker stops reading from it."})

	QueuedMaxRequestBytes = longSetting(Row{Name: "queued.max.request.bytes", Default: "134217728", Room: inServer, check: atLeast[int64](-1),
		Kafka: "-1", Why: "Without a bound, requests take the memory that records need.",
		Doc: "How many bytes of requests may be in memory over all connections before the broker stops reading; a larger request comes in alone, and -1 is no bound."})

	RequestTimeout = msSetting(Int, Row{Name: "request.timeout.ms", Default: "30000", Room: inBroker, check: atLeast[int64](1),
		Doc: "How long a broker waits for an answer from another broker or from the controller."})
)

// Fetching.
var (
	FetchMaxBytes = intSetting(Row{Name: "fetch.max.bytes", Default: "57671680", Room: inAPI, check: atLeast[int64](1024),
		Doc: "How many bytes of records a fetch answers with at most, whatever the client asks for; the first batch is sent whole however large."})

	FetchSessionSlots = intSetting(Row{Name: "max.incremental.fetch.session.cache.slots", Default: "1000", Room: inAPI, check: atLeast[int64](0),
		Doc: "How many fetch sessions (KIP-227) the broker remembers; a client beyond them sends whole requests."})

	MaxRequestPartitions = intSetting(Row{Name: "max.request.partition.size.limit", Default: "2000", Room: inAPI, check: atLeast[int64](1),
		Doc: "How many partitions one answer of DescribeTopicPartitions holds before the client has to ask on."})
)
