package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The package of a kernel has no modules.dep (depmod writes it when it is
// installed), so what a module needs is read from the module.

// A moduleFile is a kernel module, not compressed.
type moduleFile struct {
	name string
	data []byte
}

// load returns the modules of the kernel in dir that have the names wanted, each
// after all that it needs, in the order to insert them. Those that the kernel
// does not have as a module are left out: they are built in, or nowhere.
func load(dir string, wanted []string) ([]moduleFile, error) {
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(dir, "lib/modules"), func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(d.Name(), ".ko"); ok {
			files[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var list []moduleFile
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		name = moduleName(name)
		path, ok := files[name]
		if seen[name] || !ok {
			return nil
		}
		seen[name] = true
		data, err := decompressed(path)
		if err != nil {
			return err
		}
		needs, err := needs(data)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, n := range needs {
			if err := add(n); err != nil {
				return err
			}
		}
		list = append(list, moduleFile{name, data})
		return nil
	}
	for _, name := range wanted {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// moduleName is a name as the kernel knows it.
func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

func decompressed(path string) ([]byte, error) {
	if strings.HasSuffix(path, ".xz") {
		return command("xz", "-dc", path)
	}
	return os.ReadFile(path)
}

// needs are the modules that have to be there before: "depends", and what
// "softdep" wants before. See modinfo(8).
func needs(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	return needed(string(info)), nil
}

// needed reads the entries of .modinfo, each a "key=value" that ends in NUL.
func needed(info string) (names []string) {
	for entry := range strings.SplitSeq(info, "\x00") {
		switch key, value, _ := strings.Cut(entry, "="); key {
		case "depends":
			names = append(names, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })...)
		case "softdep":
			before := false
			for _, word := range strings.Fields(value) {
				switch {
				case word == "pre:" || word == "post:":
					before = word == "pre:"
				case before:
					names = append(names, word)
				}
			}
		}
	}
	return names
}
