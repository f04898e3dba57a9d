package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// linkNames returns the names under which the program answers as a Kafka tool, each with and
// without the suffix of Kafka's scripts.
func linkNames() []string {
	names := []string{"kafka-server-start.sh", "kafka-server-start"} // the broker, which cmd/barnabas runs
	for _, tool := range registry() {
		if tool.Kafka != "" {
			names = append(names, tool.Kafka+".sh", tool.Kafka)
		}
	}
	return names
}

// installLinksCommand is `barnabas install-links DIR`: the symlink farm of Kafka's names.
func installLinksCommand(m *modern) *cobra.Command {
	var list bool
	var target string
	cmd := &cobra.Command{
		Use:   "install-links DIR",
		Short: "Make links with the names of Kafka's tools that lead to this program",
		Args: func(_ *cobra.Command, args []string) error {
			if !list && len(args) != 1 {
				return errors.New("name the directory to make the links in")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if list {
				for _, name := range linkNames() {
					m.env.printf("%s\n", name)
				}
				return nil
			}
			return installLinks(args[0], target)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "print the names and make nothing")
	cmd.Flags().StringVar(&target, "target", "",
		"what the links lead to (default: this program, by a relative path where it lies in DIR)")
	return cmd
}

// installLinks makes the links in dir. It replaces links of its own kind and leaves real files
// alone, with an error: a Kafka that is installed there is not overwritten.
func installLinks(dir, target string) error {
	if target == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("install links: %w", err)
		}
		if self, err = filepath.EvalSymlinks(self); err != nil {
			return fmt.Errorf("install links: %w", err)
		}
		target = relativeTarget(dir, self)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("install links: %w", err)
	}
	for _, name := range linkNames() {
		if err := replaceLink(target, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("install links: %w", err)
		}
	}
	return nil
}

func relativeTarget(dir, self string) string {
	absolute, err := filepath.Abs(dir)
	if err == nil && absolute == filepath.Dir(self) {
		return filepath.Base(self)
	}
	return self
}

func replaceLink(target, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("%s is there and is no link", path)
	default:
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Symlink(target, path)
}
