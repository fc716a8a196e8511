package testmedia

import "encoding/binary"

// Box returns a box of the four letters typ.
func Box(typ string, parts ...[]byte) []byte {
	n := 8
	for _, p := range parts {
		n += len(p)
	}
	b := append(binary.BigEndian.AppendUint32(make([]byte, 0, n), uint32(n)), typ...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// FullBox returns a box that begins with a version and flags.
func FullBox(typ string, version byte, flags uint32, parts ...[]byte) []byte {
	return Box(typ, append([][]byte{U32(uint32(version)<<24 | flags)}, parts...)...)
}

// U16 returns big-endian 16-bit numbers.
func U16(v ...uint16) []byte {
	b := make([]byte, 0, 2*len(v))
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// U32 returns big-endian 32-bit numbers.
func U32(v ...uint32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, v := range v {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// U64 returns big-endian 64-bit numbers.
func U64(v ...uint64) []byte {
	b := make([]byte, 0, 8*len(v))
	for _, v := range v {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// VideoEntry returns a VisualSampleEntry with the boxes given.
func VideoEntry(typ string, width, height uint16, boxes ...[]byte) []byte {
	fixed := [][]byte{make([]byte, 6), U16(1), make([]byte, 16), U16(width, height), U32(0x480000, 0x480000, 0), U16(1), make([]byte, 32), U16(24, 0xffff)}
	return Box(typ, append(fixed, boxes...)...)
}

// AudioEntry returns an AudioSampleEntry of version 0 with the boxes given.
func AudioEntry(typ string, channels, bits uint16, rate uint32, boxes ...[]byte) []byte {
	fixed := [][]byte{make([]byte, 6), U16(1), make([]byte, 8), U16(channels, bits, 0, 0), U32(rate << 16)}
	return Box(typ, append(fixed, boxes...)...)
}
