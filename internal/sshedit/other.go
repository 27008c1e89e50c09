package sshedit

import (
	"io/fs"
	"os/user"
	"slices"
	"syscall"
)

// PlanOther is [Request.Plan] for a file of another program, such as PuTTY: edit
// returns its new content. Nobody is asked whether it is right. As is as in Request.
func PlanOther(path string, as *user.User, edit func(content []byte) ([]byte, error)) (*Revision, error) {
	r := Request{File: path, As: as, other: true}
	o, err := r.open(path)
	if err != nil {
		return nil, err
	}
	if o.content == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
	}
	v := &Revision{Path: path, Old: o.content, request: r, file: o}
	v.New, err = edit(slices.Clone(o.content))
	return v, err
}

// Other is the request for a file of another program.
func (r Request) Other() Request {
	r.other = true
	return r
}
