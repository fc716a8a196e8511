package main

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/sprocket-video/sprocket"
	"github.com/sprocket-video/sprocket/tensor"
)

// Measures and colours of a contact sheet, in pixels.
const (
	sheetMargin   = 24
	sheetGap      = 16
	sheetHeader   = 40 // above the pictures
	sheetLabel    = 30 // below each picture
	sheetText     = 2  // scale of the font
	sheetAspect   = 1.6
	maxThumbnails = 400
)

var (
	sheetGround = color.RGBA{0x17, 0x19, 0x1d, 0xff}
	sheetBright = color.RGBA{0xec, 0xee, 0xf1, 0xff}
	sheetDim    = color.RGBA{0x8d, 0x94, 0x9e, 0xff}
	sheetAccent = color.RGBA{0xf5, 0xb9, 0x42, 0xff} // key frames
)

// thumbnailSize returns the size of one of n pictures of a video, as it is shown.
func thumbnailSize(m *sprocket.Metadata, n int) (width, height int) {
	boxWidth, boxHeight := 320.0, 240.0
	switch {
	case n <= 4:
		boxWidth, boxHeight = 640, 480
	case n <= 12:
		boxWidth, boxHeight = 400, 300
	}
	w, h := float64(max(m.Width, 1)), float64(max(m.Height, 1))
	if p := m.PixelAspect; p.Num > 0 && p.Den > 0 {
		w *= float64(p.Num) / float64(p.Den)
	}
	scale := min(boxWidth/w, boxHeight/h)
	return max(16, int(math.Round(w*scale))), max(16, int(math.Round(h*scale)))
}

// sheet is a picture of pictures.
type sheet struct {
	name     string // of the file
	source   string
	d        *sprocket.VideoDecoder
	ns       []int
	mu       sync.Mutex
	pictures map[int]picture
}

type picture struct {
	img  *image.RGBA
	info sprocket.FrameInfo
}

func newSheet(name, source string, d *sprocket.VideoDecoder, ns []int) (*sheet, error) {
	return &sheet{name: name, source: source, d: d, ns: ns, pictures: map[int]picture{}}, nil
}

func (s *sheet) partial() bool { return false }
func (s *sheet) abort()        {}

func (s *sheet) put(b *sprocket.FrameBatch) error {
	for i, info := range b.Frames {
		img := toImage(b.Index(i))
		s.mu.Lock()
		s.pictures[info.N] = picture{img, info}
		s.mu.Unlock()
	}
	return nil
}

// toImage copies rows of RGB into an opaque picture.
func toImage(pixels *tensor.Tensor) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, pixels.Shape()[1], pixels.Shape()[0]))
	src, dst := pixels.Bytes(), img.Pix
	for len(src) >= 3 && len(dst) >= 4 {
		dst[0], dst[1], dst[2], dst[3] = src[0], src[1], src[2], 0xff
		src, dst = src[3:], dst[4:]
	}
	return img
}

// commit draws the sheet and writes it.
func (s *sheet) commit() error {
	f, err := createFile(s.name)
	if err != nil {
		return err
	}
	if err := png.Encode(f, s.draw()); err != nil {
		f.abort()
		return outputError(s.name, err)
	}
	return f.commit()
}

func (s *sheet) draw() *image.RGBA {
	var cell image.Point
	labels := make([][2]string, len(s.ns))
	for i, n := range s.ns {
		p := s.pictures[n]
		labels[i] = [2]string{fmt.Sprintf("#%d", n), formatClock(p.info.PTS)}
		wide := textWidth(labels[i][0]+"  "+labels[i][1], sheetText)
		cell.X = max(cell.X, p.img.Rect.Dx(), wide+sheetGap) // so that the labels of narrow pictures stand apart
		cell.Y = max(cell.Y, p.img.Rect.Dy())
	}
	step := cell.Add(image.Pt(sheetGap, sheetGap+sheetLabel))
	columns := gridColumns(len(s.ns), step)
	rows := (len(s.ns) + columns - 1) / columns
	size := image.Pt(columns*step.X-sheetGap+2*sheetMargin, rows*step.Y-sheetGap+2*sheetMargin+sheetHeader)
	img := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(img, img.Rect, image.NewUniform(sheetGround), image.Point{}, draw.Src)
	s.drawHeader(img)
	for i, n := range s.ns {
		p := s.pictures[n]
		at := image.Pt(sheetMargin+i%columns*step.X, sheetMargin+sheetHeader+i/columns*step.Y)
		inner := at.Add(cell.Sub(p.img.Rect.Size()).Div(2))
		draw.Draw(img, p.img.Rect.Add(inner), p.img, image.Point{}, draw.Src)
		base := at.Add(image.Pt(0, cell.Y+10))
		number := sheetBright
		if p.info.Key {
			number = sheetAccent
		}
		drawText(img, base, labels[i][0], sheetText, number)
		drawText(img, base.Add(image.Pt(cell.X-textWidth(labels[i][1], sheetText), 0)), labels[i][1], sheetText, sheetDim)
	}
	return img
}

// drawHeader writes the name on the left and the facts on the right, as much as there is room for.
func (s *sheet) drawHeader(img *image.RGBA) {
	m := s.d.Metadata()
	room := img.Rect.Dx() - 2*sheetMargin
	title := printable(baseName(s.source))
	if s.source == "-" {
		title = "standard input"
	}
	facts := []string{
		fmt.Sprintf("%dx%d", m.Width, m.Height), m.Codec, formatRate(m.AverageFPS) + " fps", formatClock(m.Duration),
		plural(int64(m.Frames), "frame", "frames"),
	}
	if slices.ContainsFunc(s.ns, func(n int) bool { return s.pictures[n].info.Key }) {
		facts = append(facts, "key frames")
	}
	for len(facts) > 0 && textWidth(title+"    "+strings.Join(facts, "  "), sheetText) > room {
		facts = facts[:len(facts)-1]
	}
	for len(title) > 4 && textWidth(title, sheetText) > room {
		title = title[:len(title)-4] + "..."
	}
	drawText(img, image.Pt(sheetMargin, sheetMargin), title, sheetText, sheetBright)
	at := image.Pt(sheetMargin+room-textWidth(strings.Join(facts, "  "), sheetText), sheetMargin)
	for _, fact := range facts {
		c := sheetDim
		if fact == "key frames" {
			c = sheetAccent
		}
		drawText(img, at, fact, sheetText, c)
		at.X += (len(fact) + 2) * glyphAdvance * sheetText
	}
}

// gridColumns returns how many columns make n cells a sheet of a pleasant shape, with few empty places.
func gridColumns(n int, cell image.Point) int {
	best, least := 1, math.Inf(1)
	for columns := 1; columns <= n; columns++ {
		rows := (n + columns - 1) / columns
		shape := float64(columns*cell.X) / float64(rows*cell.Y)
		empty := float64(rows*columns-n) / float64(rows*columns)
		if cost := math.Abs(math.Log(shape/sheetAspect)) + empty; cost < least {
			best, least = columns, cost
		}
	}
	return best
}
