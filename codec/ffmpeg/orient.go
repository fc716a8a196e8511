package ffmpeg

import (
	"image"

	"github.com/sprocket-video/sprocket/container"
)

// placement says where the pixels of a picture go when it is turned for display.
type placement struct {
	width, height int // as displayed
	straight      bool
	// Pixel (x, y) goes to column x0 + x·xx + y·xy and row y0 + x·yx + y·yy.
	x0, xx, xy int
	y0, yx, yy int
}

// orient returns the placement of a picture of w×h pixels: first mirrored left to right, then turned clockwise.
func orient(o container.Orientation, w, h int) placement {
	p := placement{width: w, height: h, xx: 1, yy: 1}
	if o.Mirror {
		p.x0, p.xx = w-1, -1
	}
	turns := (o.Degrees/90%4 + 4) % 4
	for range turns {
		// (column, row) of a picture of width×height goes to (height-1-row, column).
		p.x0, p.xx, p.xy, p.y0, p.yx, p.yy = p.height-1-p.y0, -p.yx, -p.yy, p.x0, p.xx, p.xy
		p.width, p.height = p.height, p.width
	}
	p.straight = turns == 0 && !o.Mirror
	return p
}

// steps returns the offset of pixel (0, 0) and the steps to the next column and row of the picture,
// where the displayed picture has the given steps.
func (p *placement) steps(row, column int) (first, dx, dy int) {
	return p.y0*row + p.x0*column, p.yx*row + p.xx*column, p.yy*row + p.xy*column
}

// source returns the rectangle of the picture as it was that is in a rectangle of the displayed one.
func (p *placement) source(r image.Rectangle) image.Rectangle {
	at := func(column, row int) image.Point {
		column, row = column-p.x0, row-p.y0
		return image.Pt(column*p.xx+row*p.yx, column*p.xy+row*p.yy)
	}
	a, b := at(r.Min.X, r.Min.Y), at(r.Max.X-1, r.Max.Y-1)
	s := image.Rectangle{Min: a, Max: b}.Canon()
	s.Max = s.Max.Add(image.Pt(1, 1))
	return s
}
