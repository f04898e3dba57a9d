package keeper

import (
	"context"
	"log/slog"
	"strings"

	"go.uber.org/zap/zapcore"
)

// bridge hands etcd's warnings and errors on to the process's own log. Below that etcd tells too much.
type bridge struct {
	logger *slog.Logger
	fields []zapcore.Field
}

var _ zapcore.Core = (*bridge)(nil)

// Enabled implements zapcore.Core.
func (b *bridge) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

// With implements zapcore.Core.
func (b *bridge) With(fields []zapcore.Field) zapcore.Core {
	return &bridge{b.logger, append(b.fields[:len(b.fields):len(b.fields)], fields...)}
}

// Check implements zapcore.Core.
func (b *bridge) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !b.Enabled(entry.Level) || expected(entry.Message) {
		return checked
	}
	return checked.AddCore(entry, b)
}

// Write implements zapcore.Core.
func (b *bridge) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range b.fields {
		f.AddTo(encoder)
	}
	attrs := make([]slog.Attr, 0, len(fields)+1)
	attrs = append(attrs, slog.String("from", "etcd"))
	for _, f := range fields {
		f.AddTo(encoder)
	}
	for key, value := range encoder.Fields {
		attrs = append(attrs, slog.Any(key, value))
	}
	level := slog.LevelWarn
	if entry.Level >= zapcore.ErrorLevel {
		level = slog.LevelError
	}
	b.logger.LogAttrs(context.Background(), level, "keeper: "+entry.Message, attrs...)
	return nil
}

// Sync implements zapcore.Core.
func (b *bridge) Sync() error { return nil }

// expected tells warnings about what is meant to be so.
func expected(message string) bool {
	for _, m := range expectedMessages {
		if strings.Contains(message, m) {
			return true
		}
	}
	return false
}

var expectedMessages = []string{
	// Nobody logs in to an ensemble of one.
	"simple token is not cryptographically signed",
	// A new log has no snapshot that would tell its version; it gets one in time.
	"Failed to detect storage schema version",
	"Failed to detect schema version",
	"failed to update storage version",
	// The one member's own entry is still on its way when it first stands for election.
	"cannot campaign at term",
	// Told to stop within its first seconds, it does not get to write its version.
	"failed to update cluster version",
	// Asked for until it is ready.
	"rejecting promote learner",
	"failed to promote a member",
	// Members that are away; the roll-call says what matters of it.
	"prober detected",
	"request stats",
	// A client says so for each call, and its caller says what comes of it.
	"retrying of unary invoker failed",
	"failed to send out heartbeat on time",
	"peer became inactive",
	"failed to find remote peer in cluster",
	"lost TCP streaming connection",
	"failed to reach the peer URL",
	"failed to get version",
	"dropped internal Raft message",
	"dropped Raft message",
	"stopped remote peer", "closed TCP streaming connection",
	"ignored streaming request",
	// A directory that existed has the permissions that its owner gave it.
	"check file permission",
}
