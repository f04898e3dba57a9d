package main

import (
	"log/slog"
	"os"
)

// newLogger writes text where a person looks on and JSON elsewhere. BARNABAS_LOG_LEVEL (debug, info, warn, error)
// says how much, BARNABAS_LOG_FORMAT (text, json) overrides the form.
func newLogger(out *os.File) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(os.Getenv("BARNABAS_LOG_LEVEL"))); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	format := os.Getenv("BARNABAS_LOG_FORMAT")
	if format == "text" || format == "" && isTerminal(out) {
		return slog.New(slog.NewTextHandler(out, options))
	}
	return slog.New(slog.NewJSONHandler(out, options))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
