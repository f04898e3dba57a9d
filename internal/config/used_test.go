package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// handles are the package's variables that hold a setting, by the setting's name.
func handles(t *testing.T) map[string]string {
	found := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			call, ok := spec.Values[0].(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			row, ok := call.Args[len(call.Args)-1].(*ast.CompositeLit)
			if !ok {
				return true
			}
			for _, element := range row.Elts {
				field, ok := element.(*ast.KeyValueExpr)
				if ok && field.Key.(*ast.Ident).Name == "Name" {
					found[strings.Trim(field.Value.(*ast.BasicLit).Value, `"`)] = spec.Names[0].Name
				}
			}
			return true
		})
	}
	return found
}

// uses are the names that the tree's code, tests apart, takes from this package, and those that Load itself uses.
func uses(t *testing.T) map[string]bool {
	used := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return nil // another test says so
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := selector.X.(*ast.Ident); ok {
				switch {
				case x.Name == "config":
					used[selector.Sel.Name] = true
				case parsed.Name.Name == "config" && selector.Sel.Name != "Parse":
					used[x.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// TestNoSettingIsReadAndIgnored: a setting that says which room reads it is read somewhere, and one that
// nobody reads says that it has no effect.
func TestNoSettingIsReadAndIgnored(t *testing.T) {
	used, names := uses(t), handles(t)
	for _, d := range table {
		handle := names[d.Name]
		switch {
		case handle == "": // a broker's name for a topic's setting, whose handle is the topic's
		case d.Room == "" && used[handle] && d.Name != RemoteStorageEnable.Name:
			t.Errorf("%s is used, and its row does not say where", d.Name)
		case d.Room != "" && !used[handle]:
			t.Errorf("%s: nobody reads config.%s, which %s should", d.Name, handle, d.Room)
		}
	}
}
