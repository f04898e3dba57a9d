//go:build race

package sim

// usualSeeds are fewer where each takes twenty times as long.
const usualSeeds = 6
