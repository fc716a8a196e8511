package bitstream

import (
	"testing"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

func TestFields(t *testing.T) {
	f := testmedia.Fields{Frames: 8, Every: 4}
	r, ok := NewFieldReader(f.AVCC())
	if !ok {
		t.Fatal("the parameter sets have no fields")
	}
	var before Field
	for n, p := range f.Pairs() {
		top, ok1 := r.Read(p.Top)
		bottom, ok2 := r.Read(p.Bottom[:min(len(p.Bottom), 40)])
		if !ok1 || !ok2 || top.Parity != Top || bottom.Parity != Bottom || top.Needed == p.Unneeded || bottom.FrameNum != top.FrameNum {
			t.Errorf("frame %d: %+v, %+v", n, top, bottom)
		}
		if !bottom.Completes(top) || top.Completes(bottom) && top.FrameNum != bottom.FrameNum || n > 0 && n != 4 && n != 3 && top.Completes(before) {
			t.Errorf("frame %d: which fields make a frame", n)
		}
		if !r.Single(p.Top) || !r.Single(p.Bottom) || r.Single(append(append([]byte(nil), p.Top...), p.Bottom...)) {
			t.Errorf("frame %d: which packets are of one field", n)
		}
		before = bottom
	}
	if _, ok := r.Read(nil); ok {
		t.Error("a field of nothing")
	}
	for name, config := range map[string][]byte{"none": nil, "no parameter sets": avcC, "cut": f.AVCC()[:12]} {
		if _, ok := NewFieldReader(config); ok {
			t.Errorf("%s: fields", name)
		}
	}
}

func FuzzFields(f *testing.F) {
	s := testmedia.Fields{Frames: 2, Every: 2}
	p := s.Pairs()
	f.Add(s.AVCC(), p[0].Top)
	f.Add(s.AVCC(), append(append([]byte(nil), p[1].Top...), p[1].Bottom...))
	f.Fuzz(func(t *testing.T, config, data []byte) {
		if r, ok := NewFieldReader(config); ok {
			_, known := r.Read(data)
			if r.Single(data) && !known {
				t.Error("one field, and none")
			}
		}
	})
}
