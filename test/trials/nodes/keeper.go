package nodes

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"barnabas/internal/keeper"
)

// KeeperCommand has a program that calls RunKeeper be the keeper of the layout "apart": one that is not on trial.
const KeeperCommand = "keeper"

// RunKeeper runs a keeper on a directory until the process is told to end.
func RunKeeper(dir, address string) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	k, err := keeper.Start(keeper.Options{Dir: dir, Listener: address, Logger: logger})
	if err == nil {
		err = k.Ready(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		os.Exit(1)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	k.Stop()
}
