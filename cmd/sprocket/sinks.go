package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/tensor"
)

// newSink returns where the frames ns of a job go.
func (j *framesJob) newSink(in *input, d *sprocket.VideoDecoder, ns []int) (sink, error) {
	switch j.kind {
	case toDir:
		return newDirSink(j.output)
	case toSheet:
		return newSheet(j.output, in.name, d, ns)
	}
	s, err := newSlotSink(j.output, ns)
	if err != nil {
		return nil, err
	}
	switch j.kind {
	case toNPY:
		s.header = func(frames []int) ([]byte, error) { return tensor.AppendNPYHeader(nil, j.options.DType, frames...) }
	case toSafetensors:
		s.header = func(frames []int) ([]byte, error) { return j.safetensorsHead(in, d, ns, frames) }
	}
	return s, nil
}

// dirSink writes one PNG a frame.
type dirSink struct {
	dir     string
	writers sync.Pool // *pngWriter
}

func newDirSink(dir string) (*dirSink, error) {
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, outputError(dir, err)
	}
	return &dirSink{dir: dir}, nil
}

func (s *dirSink) put(b *sprocket.FrameBatch) error {
	for i := range b.Frames {
		if b.Errs != nil && b.Errs[i] != nil {
			continue
		}
		if err := s.write(b.Frames[i].N, b.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *dirSink) write(n int, pixels *tensor.Tensor) error {
	p, _ := s.writers.Get().(*pngWriter)
	if p == nil {
		p = new(pngWriter)
	}
	defer s.writers.Put(p)
	f, err := createFile(filepath.Join(s.dir, fmt.Sprintf("frame-%06d.png", n)))
	if err != nil {
		return err
	}
	if err := p.encode(f, pixels); err != nil {
		f.abort()
		return outputError(f.name, err)
	}
	return f.commit()
}

func (s *dirSink) partial() bool { return true }
func (s *dirSink) commit() error { return nil }
func (s *dirSink) abort()        {} // every file is whole

// slotSink writes every frame at its place in one file: as many times as it was asked for.
type slotSink struct {
	*outFile
	header func(shape []int) ([]byte, error) // what stands before the frames; nil for nothing
	order  []int32                           // places, by the number of their frame
	ns     []int

	mu    sync.Mutex
	shape []int // of a frame, set by the first
	first int   // that frame
	begin int64 // where the frames begin
}

func newSlotSink(name string, ns []int) (*slotSink, error) {
	f, err := createFile(name)
	if err != nil {
		return nil, err
	}
	s := &slotSink{outFile: f, ns: ns, order: make([]int32, len(ns))}
	for i := range s.order {
		s.order[i] = int32(i)
	}
	slices.SortStableFunc(s.order, func(a, b int32) int { return ns[a] - ns[b] })
	return s, nil
}

func (s *slotSink) partial() bool { return false }

func (s *slotSink) put(b *sprocket.FrameBatch) error {
	if err := s.fit(b); err != nil {
		return err
	}
	for i := 0; i < len(b.Frames); {
		// Frames that stand together in the file are written together.
		places := s.places(b.Frames[i].N)
		k := i + 1
		for len(places) == 1 && k < len(b.Frames) {
			next := s.places(b.Frames[k].N)
			if len(next) != 1 || int(next[0]) != int(places[0])+k-i {
				break
			}
			k++
		}
		data := b.Tensor.Slice(i, k).Bytes()
		for _, place := range places {
			if _, err := s.WriteAt(data, s.begin+int64(place)*int64(len(data)/(k-i))); err != nil {
				return outputError(s.name, err)
			}
		}
		i = k
	}
	return nil
}

// fit writes the header when the first frames come, and checks that all frames have one shape.
func (s *slotSink) fit(b *sprocket.FrameBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shape := b.Shape()[1:]
	if s.shape != nil {
		if !slices.Equal(shape, s.shape) {
			return fmt.Errorf("frame %d is %v and frame %d is %v: give a --size", b.Frames[0].N, shape, s.first, s.shape)
		}
		return nil
	}
	s.shape, s.first = slices.Clone(shape), b.Frames[0].N
	if s.header == nil {
		return nil
	}
	head, err := s.header(append([]int{len(s.ns)}, shape...))
	if err != nil {
		return err
	}
	s.begin = int64(len(head))
	if _, err := s.WriteAt(head, 0); err != nil {
		return outputError(s.name, err)
	}
	return nil
}

// places returns the places of a frame.
func (s *slotSink) places(n int) []int32 {
	i, _ := slices.BinarySearchFunc(s.order, n, func(place int32, n int) int { return s.ns[place] - n })
	k := i
	for k < len(s.order) && s.ns[s.order[k]] == n {
		k++
	}
	return s.order[i:k]
}

// safetensorsHead returns what stands before the frames in a safetensors file: the header, then the numbers and the times.
func (j *framesJob) safetensorsHead(in *input, d *sprocket.VideoDecoder, ns, shape []int) ([]byte, error) {
	x := d.Index()
	numbers, times := make([]int64, len(ns)), make([]float64, len(ns))
	for i, n := range ns {
		f, err := x.Frame(n)
		if err != nil {
			return nil, err
		}
		numbers[i], times[i] = int64(n), x.Timebase().Seconds(f.PTS)
	}
	m := d.Metadata()
	bytesOf := int64(j.options.DType.Size())
	for _, n := range shape {
		bytesOf *= int64(n)
	}
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	k, n := int64(8*len(ns)), []int{len(ns)}
	dtype := map[tensor.DType]string{tensor.Uint8: "U8", tensor.Float32: "F32"}[j.options.DType]
	header, err := json.Marshal(struct {
		Metadata map[string]string `json:"__metadata__"`
		Index    entry             `json:"index"`
		PTS      entry             `json:"pts_seconds"`
		Frames   entry             `json:"frames"`
	}{
		map[string]string{
			"source": strings.ToValidUTF8(baseName(in.name), "?"), "track": fmt.Sprint(m.Track), "codec": m.Codec,
			"timebase": m.Timebase.String(), "layout": j.options.Layout.String(), "channels": "RGB",
		},
		entry{"I64", n, [2]int64{0, k}}, entry{"F64", n, [2]int64{k, 2 * k}}, entry{dtype, shape, [2]int64{2 * k, 2*k + bytesOf}},
	})
	if err != nil {
		return nil, err
	}
	// Spaces, so that the data is aligned.
	header = append(header, bytes.Repeat([]byte{' '}, (tensor.Align-(8+len(header))%tensor.Align)%tensor.Align)...)
	head := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for _, v := range []any{numbers, times} {
		if head, err = binary.Append(head, binary.LittleEndian, v); err != nil {
			return nil, err
		}
	}
	return head, nil
}
