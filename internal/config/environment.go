package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The environment as the common images read it. wurstmeister/kafka, apache/kafka, confluentinc/cp-kafka and bitnami/kafka
// agree on the rule: KAFKA_LOG_DIRS is log.dirs. They differ at the edges, and here each edge means what
// it means to the image that has it.

// imageVariables are variables that begin with KAFKA_ and are not settings: why they have no effect.
var imageVariables = map[string]string{
	"KAFKA_HEAP_OPTS":                  noJVM,
	"KAFKA_OPTS":                       noJVM,
	"KAFKA_JVM_PERFORMANCE_OPTS":       noJVM,
	"KAFKA_GC_LOG_OPTS":                noJVM,
	"KAFKA_JMX_OPTS":                   noJMX,
	"KAFKA_JMX_PORT":                   noJMX,
	"KAFKA_JMX_HOSTNAME":               noJMX,
	"KAFKA_LOG4J_OPTS":                 noLog4j,
	"KAFKA_LOG4J_LOGGERS":              noLog4j,
	"KAFKA_LOG4J_ROOT_LOGLEVEL":        noLog4j,
	"KAFKA_TOOLS_LOG4J_LOGLEVEL":       noLog4j,
	"KAFKA_LOG4J_CMD_OPTS":             noLog4j,
	"KAFKA_CLASSPATH":                  noJVM,
	"KAFKA_DEBUG":                      noJVM,
	"KAFKA_ENABLE_KRAFT":               ofImage,
	"KAFKA_HOME":                       "",
	"KAFKA_VERSION":                    "",
	"KAFKA_USER":                       "",
	"KAFKA_DATA_DIR":                   "",
	"KAFKA_BASE_DIR":                   "",
	"KAFKA_CONF_DIR":                   "",
	"KAFKA_VOLUME_DIR":                 "",
	"KAFKA_DAEMON_USER":                "",
	"KAFKA_DAEMON_GROUP":               "",
	"KAFKA_CREATE_TOPICS":              "",
	"KAFKA_CREATE_TOPICS_SEPARATOR":    "",
	"KAFKA_PROTOCOL_NAME":              "",
	"KAFKA_ADVERTISED_PROTOCOL_NAME":   "",
	"KAFKA_KRAFT_CLUSTER_ID":           "",
	"KAFKA_CFG_FILE":                   ofImage,
	"KAFKA_INIT_MAX_TIMEOUT":           ofImage,
	"KAFKA_INITIAL_CLUSTER_DIRECTORY":  ofImage,
	"KAFKA_SKIP_KRAFT_STORAGE_INIT":    ofImage,
	"KAFKA_SSL_KEYSTORE_FILENAME":      "",
	"KAFKA_SSL_KEYSTORE_CREDENTIALS":   "",
	"KAFKA_SSL_KEY_CREDENTIALS":        "",
	"KAFKA_SSL_TRUSTSTORE_FILENAME":    "",
	"KAFKA_SSL_TRUSTSTORE_CREDENTIALS": "",
	"KAFKA_CERTIFICATE_PASSWORD":       ofBitnami,
	"KAFKA_TLS_TYPE":                   ofBitnami,
	"KAFKA_TLS_CLIENT_AUTH":            ofBitnami,
	"KAFKA_CLIENT_USERS":               noSASL,
	"KAFKA_CLIENT_PASSWORDS":           noSASL,
	"KAFKA_INTER_BROKER_USER":          noSASL,
	"KAFKA_INTER_BROKER_PASSWORD":      noSASL,
	"KAFKA_CONTROLLER_USER":            noSASL,
	"KAFKA_CONTROLLER_PASSWORD":        noSASL,
	"KAFKA_ZOOKEEPER_PROTOCOL":         noSASL,
}

const (
	noJVM     = "is for a Java virtual machine; Barnabas has none"
	noJMX     = "is for JMX; Barnabas serves its metrics over HTTP (http.listener)"
	noLog4j   = "is for log4j; Barnabas has --log-level"
	ofImage   = "belongs to another image, and has no meaning in this one"
	ofBitnami = "is bitnami's own way to say ssl.* settings: give these, as KAFKA_SSL_KEYSTORE_TYPE and KAFKA_SSL_KEYSTORE_LOCATION"
	noSASL    = "is for SASL, which is not served yet"
)

// environment reads a broker's settings from variables.
type environment struct {
	vars     map[string]string
	run      func(command string) (string, error)
	read     func(file string) ([]byte, error)
	settings []given
	notices  []Notice
	problems []Problem
}

func readEnvironment(env []string, run func(string) (string, error), read func(string) ([]byte, error)) *environment {
	e := &environment{vars: map[string]string{}, run: run, read: read}
	for _, variable := range env {
		name, value, ok := strings.Cut(variable, "=")
		if ok && value != "" { // every image takes an empty one for one that is not there
			e.vars[name] = value
		}
	}
	e.commands()
	for _, name := range slices.Sorted(maps.Keys(e.vars)) {
		e.variable(name)
	}
	e.protocolNames()
	e.secretFiles()
	return e
}

func (e *environment) variable(name string) {
	value := e.vars[name]
	setting := ""
	switch {
	case name == "CLUSTER_ID", name == "KAFKA_KRAFT_CLUSTER_ID":
		setting = ClusterID.Name
	case name == "KAFKA_CREATE_TOPICS":
		e.createTopics(value)
		return
	case keeperVariables[name] != "":
		setting = keeperVariables[name]
	case !strings.HasPrefix(name, "KAFKA_"), isServiceLink(name, value):
		return
	default:
		why, ofImage := imageVariables[name]
		if ofImage {
			if why != "" {
				e.notices = append(e.notices, Notice{Where: name, Name: name, Message: why, Known: true})
			}
			return
		}
		setting = settingName(strings.TrimPrefix(strings.TrimPrefix(name, "KAFKA_"), "CFG_"))
	}
	e.settings = append(e.settings, given{setting, value, name})
}

// settingName turns the part of a variable after KAFKA_ into a setting: one underscore is a dot, two are an
// underscore, three are a dash.
func settingName(variable string) string {
	return strings.NewReplacer("___", "-", "__", "_", "_", ".").Replace(strings.ToLower(variable))
}

// secretsDir is where the images of apache/kafka and confluentinc/cp-kafka have key stores and the files of their passwords.
const secretsDir = "/etc/kafka/secrets/"

// secretFiles reads the variables of these images that name files in that directory: a store itself, or one that has a password in it.
func (e *environment) secretFiles() {
	for _, v := range []struct {
		variable, setting string
		content           bool
	}{
		{"KAFKA_SSL_KEYSTORE_FILENAME", SSLKeystoreLocation.Name, false},
		{"KAFKA_SSL_TRUSTSTORE_FILENAME", SSLTruststoreLocation.Name, false},
		{"KAFKA_SSL_KEYSTORE_CREDENTIALS", SSLKeystorePassword.Name, true},
		{"KAFKA_SSL_KEY_CREDENTIALS", SSLKeyPassword.Name, true},
		{"KAFKA_SSL_TRUSTSTORE_CREDENTIALS", SSLTruststorePassword.Name, true},
	} {
		value := e.vars[v.variable]
		if value == "" {
			continue
		}
		if value = secretsDir + value; v.content {
			data, err := e.read(value)
			if err != nil {
				e.problems = append(e.problems, Problem{v.variable, v.setting, v.variable + ": " + err.Error()})
				continue
			}
			value = strings.TrimRight(string(data), "\r\n")
		}
		e.settings = append(e.settings, given{v.setting, value, v.variable})
	}
}

// serviceLink has the names that Kubernetes gives; serviceURL a value of the one that could be a setting's.
var (
	serviceLink = lazyRegexp(`^[A-Z0-9_]+_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	serviceURL  = lazyRegexp(`^(tcp|udp|sctp)://`)
)

// lazyRegexp compiles when it is first used: most programs of this binary never read a configuration.
func lazyRegexp(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// isServiceLink tells the variables that Kubernetes and Docker set for each Service: one named kafka
// makes KAFKA_PORT=tcp://10.0.0.1:9092, and the recipe's kafka-service-1 makes
// KAFKA_SERVICE_1_SERVICE_HOST. None of them is a setting.
func isServiceLink(name, value string) bool {
	return serviceLink().MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && serviceURL().MatchString(value)
}

// commands runs what wurstmeister/kafka calls commands, which find out what is known only where the
// broker runs, and puts their output where it belongs.
func (e *environment) commands() {
	hostname := e.command("HOSTNAME_COMMAND")
	port := e.command("PORT_COMMAND")
	for name, value := range e.vars {
		if !strings.HasPrefix(name, "KAFKA_") {
			continue
		}
		value = e.substitute(name, value, "_{HOSTNAME_COMMAND}", hostname)
		e.vars[name] = e.substitute(name, value, "_{PORT_COMMAND}", port)
	}
	e.setDefault("KAFKA_ADVERTISED_HOST_NAME", hostname)
	e.setDefault("KAFKA_BROKER_ID", e.commandUnless("KAFKA_BROKER_ID", "BROKER_ID_COMMAND"))
	e.setDefault("KAFKA_BROKER_RACK", e.commandUnless("KAFKA_BROKER_RACK", "RACK_COMMAND"))
}

func (e *environment) setDefault(name, value string) {
	if e.vars[name] == "" && value != "" {
		e.vars[name] = value
	}
}

func (e *environment) commandUnless(name, command string) string {
	if e.vars[name] != "" {
		return ""
	}
	return e.command(command)
}

// command returns what the command in a variable prints, or "" when there is none.
func (e *environment) command(name string) string {
	command := e.vars[name]
	if command == "" {
		return ""
	}
	out, err := e.run(command)
	out = strings.TrimSpace(out)
	switch {
	case err != nil:
		e.problems = append(e.problems, Problem{Where: name, Message: "the command failed: " + err.Error()})
	case out == "":
		e.problems = append(e.problems, Problem{Where: name, Message: "the command printed nothing"})
	}
	return out
}

func (e *environment) substitute(name, value, placeholder, with string) string {
	if !strings.Contains(value, placeholder) {
		return value
	}
	command := strings.Trim(placeholder, "_{}")
	if e.vars[command] == "" {
		e.problems = append(e.problems, Problem{Where: name,
			Message: "has " + placeholder + ", and there is no " + command})
	}
	return strings.ReplaceAll(value, placeholder, with)
}

// protocolNames is wurstmeister/kafka's old way to two listeners: KAFKA_ADVERTISED_PROTOCOL_NAME at the
// advertised host and port, and KAFKA_PROTOCOL_NAME at the broker's own.
func (e *environment) protocolNames() {
	outside, inside := e.vars["KAFKA_ADVERTISED_PROTOCOL_NAME"], e.vars["KAFKA_PROTOCOL_NAME"]
	if e.vars["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] == "" || outside == "" && inside == "" {
		return
	}
	var listeners, advertised []string
	if port := e.vars["KAFKA_ADVERTISED_PORT"]; outside != "" && port != "" {
		listeners = append(listeners, outside+"://:"+port)
		advertised = append(advertised, outside+"://"+e.vars["KAFKA_ADVERTISED_HOST_NAME"]+":"+port)
	}
	if inside == "" {
		inside = outside
	}
	port := e.vars["KAFKA_PORT"]
	if port == "" || isServiceLink("KAFKA_PORT", port) {
		port = "9092"
	}
	address := inside + "://" + e.vars["KAFKA_HOST_NAME"] + ":" + port
	listeners, advertised = append(listeners, address), append(advertised, address)
	for _, s := range []given{
		{Listeners.Name, strings.Join(listeners, ","), "KAFKA_PROTOCOL_NAME"},
		{AdvertisedListeners.Name, strings.Join(advertised, ","), "KAFKA_PROTOCOL_NAME"},
		{InterBrokerListener.Name, inside, "KAFKA_PROTOCOL_NAME"},
	} {
		variable := "KAFKA_" + strings.ToUpper(strings.ReplaceAll(s.name, ".", "_"))
		if e.vars[variable] == "" {
			e.settings = append(e.settings, s)
		}
	}
}
