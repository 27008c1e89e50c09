package bpf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// object is the compiled programs taken apart just so far that the kernel can do
// the rest. See https://docs.kernel.org/bpf/btf.html, "ELF File Format
// Interface", for what lies where.
type object struct {
	license  []byte // NUL-terminated
	types    []byte // BTF, as compiled
	rodata   []byte // the constants: query or config, and nothing else
	programs map[string]program
	sections map[string]string // of the programs, by name
}

// program is one program, which is the only one in its section.
type program struct {
	code []byte
	maps []mapLoad

	// Records for BPF_PROG_LOAD, and their sizes. The kernel applies
	// relocations only where it knows the functions.
	funcs, relocs       []byte
	funcSize, relocSize uint32
}

const instruction = 8 // bytes

// mapLoad is an instruction that loads the address of a variable.
type mapLoad struct {
	at      uint32 // offset into the code
	section string // that the variable is in, which becomes a map
}

const (
	constantSection = ".rodata"
	tableSection    = ".bss"
)

// The sections by the names of their programs: of sockets.c and of retune.c.
var (
	socketsSections = map[string]string{
		socketsProgRows:   "iter/tcp",
		socketsProgOwners: "iter/task_file",
		socketsProgFind:   "syscall",
	}
	retuneSections = map[string]string{
		retuneProgRetune: "iter/tcp",
		retuneProgFind:   "syscall",
	}
)

func parseObject(data []byte, sections map[string]string) (*object, error) {
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	section := func(name string) []byte {
		s := file.Section(name)
		if s == nil || err != nil {
			return nil
		}
		var b []byte
		b, err = s.Data()
		return b
	}
	o := &object{
		license:  section("license"),
		types:    section(".BTF"),
		rodata:   section(constantSection),
		programs: map[string]program{},
		sections: sections,
	}
	symbols, errSymbols := file.Symbols()
	if errSymbols != nil {
		return nil, errSymbols
	}
	ext := section(".BTF.ext")
	for name, sec := range sections {
		p := program{code: section(sec)}
		if len(p.code) == 0 || len(p.code)%instruction != 0 {
			return nil, fmt.Errorf("section %s is missing or malformed", sec)
		}
		for r := section(".rel" + sec); len(r) >= 16; r = r[16:] { // Elf64_Rel
			at, symbol := binary.LittleEndian.Uint64(r), binary.LittleEndian.Uint32(r[12:])
			if at%instruction != 0 || at+2*instruction > uint64(len(p.code)) {
				return nil, fmt.Errorf("section %s has a relocation outside", sec)
			}
			if symbol == 0 || int(symbol) > len(symbols) { // Symbols leaves out the first
				return nil, fmt.Errorf("section %s has a relocation to nothing", sec)
			}
			in := int(symbols[symbol-1].Section)
			if in >= len(file.Sections) {
				return nil, fmt.Errorf("section %s has a relocation to no section", sec)
			}
			p.maps = append(p.maps, mapLoad{uint32(at), file.Sections[in].Name})
		}
		o.programs[name] = p
	}
	if err == nil {
		err = o.addExt(ext)
	}
	if err != nil {
		return nil, err
	}
	if len(o.license) == 0 || len(o.types) == 0 || len(o.rodata) == 0 {
		return nil, errors.New("the license, the types or the constants are missing")
	}
	return o, nil
}

// addExt gives each program its part of .BTF.ext. Source:
// tools/lib/bpf/libbpf_internal.h, btf_ext_header, btf_ext_info_sec.
func (o *object) addExt(ext []byte) error {
	funcs, err := extRecords(ext, 8)
	if err != nil {
		return err
	}
	relocs, err := extRecords(ext, 24)
	if err != nil {
		return err
	}
	for name, p := range o.programs {
		section := o.sections[name]
		p.funcs, p.funcSize = funcs.of(o, section), funcs.size
		p.relocs, p.relocSize = relocs.of(o, section), relocs.size
		if len(p.funcs) == 0 || uint32(len(p.funcs)) != p.funcSize {
			return fmt.Errorf("section %s does not hold one function", section)
		}
		o.programs[name] = p
	}
	return nil
}

// records are the records of one kind, for all sections.
type records struct {
	size     uint32 // of one
	sections []sectionRecords
}

type sectionRecords struct {
	name uint32 // offset in the strings of the BTF
	data []byte
}

// extRecords reads the records that the header of .BTF.ext names at an offset.
func extRecords(ext []byte, at int) (records, error) {
	malformed := errors.New(".BTF.ext is malformed")
	u32 := binary.LittleEndian.Uint32
	if len(ext) < at+8 {
		return records{}, malformed
	}
	header, from, size := uint64(u32(ext[4:])), uint64(u32(ext[at:])), uint64(u32(ext[at+4:]))
	if header+from+size > uint64(len(ext)) || size < 4 {
		return records{}, malformed
	}
	ext = ext[header+from:][:size]
	r := records{size: u32(ext)}
	for ext = ext[4:]; len(ext) >= 8; {
		name, n := u32(ext), uint64(u32(ext[4:]))*uint64(r.size)
		if n > uint64(len(ext)-8) {
			return records{}, malformed
		}
		r.sections = append(r.sections, sectionRecords{name, ext[8:][:n]})
		ext = ext[8+n:]
	}
	return r, nil
}

func (r records) of(o *object, section string) []byte {
	for _, s := range r.sections {
		if o.typeString(s.name) == section {
			return s.data
		}
	}
	return nil
}

// typeString is a string of the BTF. Source: include/uapi/linux/btf.h, btf_header.
func (o *object) typeString(at uint32) string {
	if len(o.types) < 24 {
		return ""
	}
	u32 := binary.LittleEndian.Uint32
	from := uint64(u32(o.types[4:])) + uint64(u32(o.types[16:])) + uint64(at)
	if from >= uint64(len(o.types)) {
		return ""
	}
	s, _, _ := bytes.Cut(o.types[from:], []byte{0})
	return string(s)
}
