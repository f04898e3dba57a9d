package main

import (
	"os"
	"path/filepath"
)

// touchCache writes and deletes as much as a round is going to write. On virtual machines fresh pages of the page cache
// cost far more than others until the host has backed them, whoever writes.
func touchCache(dir string, bytes int) error {
	file, err := os.Create(filepath.Join(dir, "touch"))
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	piece := make([]byte, 1<<20)
	for ; bytes > 0; bytes -= len(piece) {
		if _, err := file.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
