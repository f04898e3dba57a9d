package keeper_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/etcdstore"
	"barnabas/internal/metadata/storetest"
	"barnabas/test/launch"
)

const patience = time.Minute

// childDir, when set in the environment, makes this test binary a keeper in that directory, until it is killed.
const childDir = "KEEPER_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child runs a keeper, writes one key more than there were, says how many there are, and waits for its end.
func child(dir string) {
	began := time.Now()
	k, err := keeper.Start(keeper.Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.Ready(ctx); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	ready := time.Since(began)
	store := k.Store("")
	page, err := store.Range(ctx, metadata.RangeRequest{})
	if err == nil {
		key := fmt.Sprintf("k%05d", len(page.KVs))
		_, err = store.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Put(key, nil)}})
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("ready", ready, "written", time.Since(began), "keys", len(page.KVs))
	select {}
}

func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func start(t testing.TB, options keeper.Options) *keeper.Keeper {
	t.Helper()
	options.Logger = launch.Log(t)
	k, err := keeper.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Stop)
	if err := k.Ready(bounded(t)); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestConformanceInProcess(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		k := start(t, keeper.Options{Dir: t.TempDir()})
		return backend(k, func(t *testing.T) metadata.Store { return k.Store("/some") })
	})
}

func TestConformanceOverTheNetwork(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		k := start(t, keeper.Options{Dir: t.TempDir(), Listener: "127.0.0.1:0"})
		return backend(k, func(t *testing.T) metadata.Store { return dial(t, k) })
	})
}

func backend(k *keeper.Keeper, open func(t *testing.T) metadata.Store) storetest.Backend {
	return storetest.Backend{
		Open: open,
		Compact: func(t *testing.T, at metadata.Revision) {
			if _, err := k.Client().Compact(bounded(t), int64(at)); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func dial(t *testing.T, k *keeper.Keeper) metadata.Store {
	t.Helper()
	s, err := keeper.Dial(keeper.Remote{Servers: []string{k.Addr()}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// What a tool does that was given --zookeeper.
func TestToolFindsBrokers(t *testing.T) {
	k := start(t, keeper.Options{Dir: t.TempDir(), Listener: "127.0.0.1:0"})
	own := k.Store("")
	lease, err := own.Lease(bounded(t), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []ident.BrokerID{10, 9} {
		b := metadata.Broker{ID: id, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: 9092, Protocol: "PLAINTEXT"}}}
		if _, err := metadata.Register(bounded(t), own, b, lease.ID()); err != nil {
			t.Fatal(err)
		}
	}
	brokers, err := metadata.Brokers(bounded(t), dial(t, k))
	if err != nil || len(brokers) != 2 || brokers[0].ID != 9 || brokers[1].Endpoints[0].Port != 9092 {
		t.Errorf("got %+v, error %v", brokers, err)
	}
}

func TestFourLetterWord(t *testing.T) {
	k := start(t, keeper.Options{Dir: t.TempDir(), Listener: "127.0.0.1:0"})
	for word, want := range map[string]string{"ruok": "imok", "what": ""} {
		conn, err := net.Dial("tcp", k.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, word); err != nil {
			t.Fatal(err)
		}
		if answer, _ := io.ReadAll(conn); string(answer) != want {
			t.Errorf("%s is answered %q, want %q", word, answer, want)
		}
		conn.Close()
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = keeper.Start(keeper.Options{Dir: t.TempDir(), Listener: taken.Addr().String(), Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, keeper.ErrAddrInUse) || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("error %v", err)
	}
}

func TestDirInUse(t *testing.T) {
	dir := t.TempDir()
	start(t, keeper.Options{Dir: dir})
	_, err := keeper.Start(keeper.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, keeper.ErrDirInUse) {
		t.Errorf("error %v, want ErrDirInUse", err)
	}
}

func TestNobodyThere(t *testing.T) {
	s, err := keeper.Dial(keeper.Remote{Servers: []string{"127.0.0.1:1"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(bounded(t), 300*time.Millisecond)
	defer cancel()
	if _, _, err := s.Get(ctx, "k"); !errors.Is(err, metadata.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
}

func TestStopAndStartAgain(t *testing.T) {
	dir := t.TempDir()
	k := start(t, keeper.Options{Dir: dir})
	_, err := k.Store("").Txn(bounded(t), metadata.Txn{Then: []metadata.Op{metadata.Put("k", []byte("v"))}})
	if err != nil {
		t.Fatal(err)
	}
	k.Stop()
	again := start(t, keeper.Options{Dir: dir})
	if kv, found, err := again.Store("").Get(bounded(t), "k"); err != nil || string(kv.Value) != "v" {
		t.Errorf("got %+v, found %v, error %v", kv, found, err)
	}
}

// A keeper killed at once comes back with all that it acknowledged.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		began := time.Now()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = t.Output()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		took := time.Since(began)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Logf("round %d: %s from exec, it says: %s", round, took, strings.TrimSpace(line))
		if err != nil || !strings.HasSuffix(strings.TrimSpace(line), fmt.Sprintf("keys %d", round)) {
			t.Fatalf("round %d: %q, %v", round, line, err)
		}
	}
}

var _ metadata.Store = (*etcdstore.Store)(nil)
