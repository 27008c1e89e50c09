package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An image is a package with a kernel.
type image struct {
	name    string // linux-image-6.1.0-47-cloud-amd64
	version string // 6.1.170-3
}

// series is the first two numbers of the version.
func (i image) series() string {
	parts := strings.SplitN(i.version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// numbers are those in a version, for its order: 6.12.107-1~deb12u1 is
// 6 12 107 1 12 1.
func (i image) numbers() (n []int) {
	for _, digits := range regexp.MustCompile(`[0-9]+`).FindAllString(i.version, -1) {
		v, _ := strconv.Atoi(digits)
		n = append(n, v)
	}
	return n
}

// cloudImage are the small images, with drivers for virtual machines only.
var cloudImage = regexp.MustCompile(`^linux-image-[0-9]+\.[0-9]+\.[0-9]+[^ ]*-cloud-amd64$`)

// choose finds the images that were named, or the oldest and the newest of each
// series. Versions vanish from the archive: what cannot be had is said.
func choose(names []string) (images []image, lacking []string, err error) {
	if len(names) > 0 {
		found, err := versions(names)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			if i := slices.IndexFunc(found, func(i image) bool { return i.name == name }); i >= 0 {
				images = append(images, found[i])
			} else {
				lacking = append(lacking, name+": apt does not offer it")
			}
		}
	} else {
		out, err := command("apt-cache", "pkgnames", "linux-image-")
		if err != nil {
			return nil, nil, err
		}
		for _, name := range strings.Fields(string(out)) {
			if cloudImage.MatchString(name) {
				names = append(names, name)
			}
		}
		offered, err := versions(names)
		if err != nil {
			return nil, nil, err
		}
		images, lacking = ends(offered)
	}
	if len(images) == 0 {
		return nil, nil, fmt.Errorf("apt offers no kernel image; is this Debian, and has apt-get update run?")
	}
	return images, lacking, nil
}

// ends are the oldest and the newest image of each series.
func ends(offered []image) (images []image, lacking []string) {
	slices.SortFunc(offered, func(a, b image) int { return slices.Compare(a.numbers(), b.numbers()) })
	for i, image := range offered {
		first := i == 0 || offered[i-1].series() != image.series()
		last := i == len(offered)-1 || offered[i+1].series() != image.series()
		if first || last {
			images = append(images, image)
		}
	}
	for _, series := range wanted {
		switch n := slices.IndexFunc(images, func(i image) bool { return i.series() == series }); {
		case n < 0:
			lacking = append(lacking, series+": apt does not offer it")
		case n == len(images)-1 || images[n+1].series() != series:
			lacking = append(lacking, series+": apt offers one version only")
		}
	}
	return images, lacking
}

// versions asks apt for the versions of packages; those that exist only in name
// are left out.
func versions(names []string) ([]image, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out, err := command("apt-cache", append([]string{"--no-all-versions", "show"}, names...)...)
	if err != nil && len(out) == 0 {
		return nil, err
	}
	var images []image
	var name string
	for line := range strings.Lines(string(out)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
		case "Package":
			name = value
		case "Version":
			images = append(images, image{name, value})
		}
	}
	return images, nil
}

// unpacked is the directory with the files of a package, downloaded unless it is
// there already.
func (r *run) unpacked(name, version string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(r.dir, name+"_"+strings.ReplaceAll(version, ":", "_")))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return "", err
	}
	get := exec.Command("apt-get", "-q", "download", name+"="+version)
	get.Dir = part
	if out, err := get.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", get, err, bytes.TrimSpace(out))
	}
	file, err := one(part, "*.deb")
	if err != nil {
		return "", err
	}
	if _, err := command("dpkg", "-x", file, part); err != nil {
		return "", err
	}
	if err := os.Remove(file); err != nil {
		return "", err
	}
	return dir, os.Rename(part, dir)
}

// one is the only file below dir that a pattern fits.
func one(dir, pattern string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("%s: %d files %s, not 1", dir, len(files), pattern)
	}
	if err != nil {
		return "", err
	}
	return files[0], nil
}

// command runs a program for its output.
func command(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(problems.Bytes()))
	}
	return out, err
}
