package config

import (
	"context"
	"log/slog"
)

// LogNotices says what is worth saying about a configuration: as a warning what is likely misspelt.
func LogNotices(ctx context.Context, logger *slog.Logger, notices []Notice) {
	for _, n := range notices {
		level := slog.LevelWarn
		if n.Known {
			level = slog.LevelInfo
		}
		logger.Log(ctx, level, "configuration", "setting", n.Name, "where", n.Where, "notice", n.Message)
	}
}
