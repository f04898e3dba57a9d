package launch

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seed is what a test draws its chances from: 1, or $SEED to repeat or try another one. What one commit has passed the next one
// does not fail by chance so; only a long run draws one, and says which.
func Seed(t *testing.T, long bool) uint64 {
	t.Helper()
	seed := uint64(1)
	if long {
		seed = rand.Uint64()
	}
	if told := os.Getenv("SEED"); told != "" {
		var err error
		if seed, err = strconv.ParseUint(told, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	return seed
}
