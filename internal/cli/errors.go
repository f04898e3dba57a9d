package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// serverError is an error that a broker answered with: its code and, where it gave one, its own
// words.
type serverError struct {
	code    int16
	message string
}

// codeError returns nil for code 0.
func codeError(code int16, message *string) error {
	if code == 0 {
		return nil
	}
	e := &serverError{code: code}
	if message != nil {
		e.message = *message
	}
	return e
}

// Error returns the broker's words or, without any, what Kafka's protocol says of the code.
func (e *serverError) Error() string {
	if e.message != "" {
		return e.message
	}
	return describeCode(e.code)
}

// Is lets errors.Is compare with the errors of kerr.
func (e *serverError) Is(err error) bool {
	known, ok := err.(*kerr.Error)
	return ok && known.Code == e.code
}

func describeCode(code int16) string {
	if known := kerr.TypedErrorForCode(code); known != nil {
		return known.Description
	}
	return fmt.Sprintf("The server answered with the unknown error code %d.", code)
}

// errorText is an error as a person should read it: a code of the protocol without its symbol.
func errorText(err error) string {
	var known *kerr.Error
	switch {
	case errors.As(err, &known):
		return known.Description
	case errors.Is(err, context.DeadlineExceeded):
		return "Timed out waiting for a node assignment."
	}
	return err.Error()
}

// javaError is an error that Kafka's tools print with the name of an exception that is none of the protocol's.
type javaError struct{ class, words string }

func (e *javaError) Error() string { return e.words }

// javaClass is the exception that Kafka's tools name in their output for an error, since scripts
// look for it there.
func javaClass(err error) string {
	var server *serverError
	var known *kerr.Error
	var java *javaError
	var code int16
	switch {
	case errors.As(err, &java):
		return java.class
	case errors.As(err, &server):
		code = server.code
	case errors.As(err, &known):
		code = known.Code
	case errors.Is(err, context.DeadlineExceeded):
		return "org.apache.kafka.common.errors.TimeoutException"
	default:
		return "java.lang.IllegalArgumentException"
	}
	return "org.apache.kafka.common.errors." + exceptionName(code)
}

// irregular are the exceptions whose name is not that of their code.
var irregular = map[string]string{
	"REQUEST_TIMED_OUT":                     "TimeoutException",
	"CORRUPT_MESSAGE":                       "CorruptRecordException",
	"MESSAGE_TOO_LARGE":                     "RecordTooLargeException",
	"RECORD_LIST_TOO_LARGE":                 "RecordBatchTooLargeException",
	"TOPIC_AUTHORIZATION_FAILED":            "TopicAuthorizationException",
	"GROUP_AUTHORIZATION_FAILED":            "GroupAuthorizationException",
	"CLUSTER_AUTHORIZATION_FAILED":          "ClusterAuthorizationException",
	"TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "TransactionalIdAuthorizationException",
	"SASL_AUTHENTICATION_FAILED":            "SaslAuthenticationException",
	"TOPIC_ALREADY_EXISTS":                  "TopicExistsException",
	"INVALID_TOPIC_EXCEPTION":               "InvalidTopicException",
	"INVALID_CONFIG":                        "InvalidConfigurationException",
	"NON_EMPTY_GROUP":                       "GroupNotEmptyException",
	"KAFKA_STORAGE_ERROR":                   "KafkaStorageException",
	"OUT_OF_ORDER_SEQUENCE_NUMBER":          "OutOfOrderSequenceException",
	"FETCH_SESSION_ID_NOT_FOUND":            "FetchSessionIdNotFoundException",
}

func exceptionName(code int16) string {
	known := kerr.TypedErrorForCode(code)
	if known == nil {
		return "UnknownServerException"
	}
	if name, ok := irregular[known.Message]; ok {
		return name
	}
	var b strings.Builder
	for _, word := range strings.Split(known.Message, "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	name := strings.TrimSuffix(b.String(), "Error")
	return name + "Exception"
}

// sayf is fmt.Errorf for what a person gets to read as it is: Kafka's tools speak in sentences, and
// scripts look for their words.
func sayf(format string, args ...any) error { return fmt.Errorf(format, args...) }
