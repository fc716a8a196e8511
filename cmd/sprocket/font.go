package main

import (
	"image"
	"image/color"
	"strings"
	"sync"
)

// A small font for labels on pictures: five columns, seven rows above the base line and two below it.
const (
	glyphWidth   = 5
	glyphHeight  = 9
	glyphAdvance = glyphWidth + 1
)

// glyphArt draws the glyphs. In each block the first line names them, one every six columns.
const glyphArt = `
0     1     2     3     4     5     6     7     8     9     .     :     #
 ###    #    ###   ###     #  #####  ###  #####  ###   ###               # #
#   #  ##   #   # #   #   ##  #     #         # #   # #   #        ##    # #
#  ##   #       #     #  # #  ####  #        #  #   # #   #        ##   #####
# # #   #     ##    ##  #  #      # ####    #    ###   ####              # #
##  #   #    #        # #####     # #   #   #   #   #     #        ##   #####
#   #   #   #     #   #    #  #   # #   #  #    #   #     #  ##    ##    # #
 ###   ###  #####  ###     #   ###   ###   #     ###   ###   ##          # #


A     B     C     D     E     F     G     H     I     J     K     L     M
 ###  ####   ###  ####  ##### #####  ###  #   #  ###    ### #   # #     #   #
#   # #   # #   # #   # #     #     #   # #   #   #      #  #  #  #     ## ##
#   # #   # #     #   # #     #     #     #   #   #      #  # #   #     # # #
##### ####  #     #   # ####  ####  # ### #####   #      #  ##    #     # # #
#   # #   # #     #   # #     #     #   # #   #   #      #  # #   #     #   #
#   # #   # #   # #   # #     #     #   # #   #   #   #  #  #  #  #     #   #
#   # ####   ###  ####  ##### #      #### #   #  ###   ##   #   # ##### #   #


N     O     P     Q     R     S     T     U     V     W     X     Y     Z
#   #  ###  ####   ###  ####   #### ##### #   # #   # #   # #   # #   # #####
##  # #   # #   # #   # #   # #       #   #   # #   # #   # #   # #   #     #
# # # #   # #   # #   # #   # #       #   #   # #   # #   #  # #   # #     #
#  ## #   # ####  #   # ####   ###    #   #   # #   # # # #   #     #     #
#   # #   # #     # # # # #       #   #   #   # #   # # # #  # #    #    #
#   # #   # #     #  #  #  #      #   #   #   #  # #  ## ## #   #   #   #
#   #  ###  #      ## # #   # ####    #    ###    #   #   # #   #   #   #####


a     b     c     d     e     f     g     h     i     j     k     l     m
      #               #         ##        #       #      #  #      ##
      #               #        #  #       #                 #       #
 ###  # ##   ###   ## #  ###   #     #### # ##   ##     ##  #  #    #   ## #
    # ##  # #     #  ## #   # ###   #   # ##  #   #      #  # #     #   # # #
 #### #   # #     #   # #####  #    #   # #   #   #      #  ##      #   # # #
#   # #   # #   # #   # #      #     #### #   #   #      #  # #     #   # # #
 #### ####   ###   ####  ###   #        # #   #  ###     #  #  #   ###  # # #
                                        #             #  #
                                     ###               ##
n     o     p     q     r     s     t     u     v     w     x     y     z
                                     #
                                     #
# ##   ###  ####   ## # # ##   #### ###   #   # #   # #   # #   # #   # #####
##  # #   # #   # #  ## ##  # #      #    #   # #   # # # #  # #  #   #    #
#   # #   # #   # #   # #      ###   #    #   # #   # # # #   #   #   #   #
#   # #   # ####   #### #         #  #  # #  ##  # #  # # #  # #   ####  #
#   #  ###  #         # #     ####    ##   ## #   #    # #  #   #     # #####
            #         #                                               #
            #         #                                            ###
,     -     _     /     (     )     [     ]     +     =     %     ?     !
                      #    #   #     ###   ###              ##     ###    #
                      #   #     #    #       #    #         ##  # #   #   #
                     #   #       #   #       #    #   #####    #      #   #
      #####         #    #       #   #       #  #####         #     ##    #
                   #     #       #   #       #    #   #####  #      #     #
 ##               #       #     #    #       #    #         #  ##
  #         ##### #        #   #     ###   ###                 ##   #     #
 #

'     &     @
  #    ##    ###
  #   #  #  #   #
 #    # #   # ###
       #    # # #
      # # # # ##
      #  #  #
       ## #  ###


`

// glyphs returns which pixels each glyph sets.
var glyphs = sync.OnceValue(func() map[rune][]image.Point {
	drawn := map[rune][]image.Point{' ': nil}
	lines := strings.Split(strings.TrimPrefix(glyphArt, "\n"), "\n")
	for ; len(lines) > glyphHeight; lines = lines[glyphHeight+1:] {
		for x, name := range lines[0] {
			if name == ' ' {
				continue
			}
			var set []image.Point
			for y, row := range lines[1 : 1+glyphHeight] {
				for k := x; k < min(x+glyphWidth, len(row)); k++ {
					if row[k] == '#' {
						set = append(set, image.Pt(k-x, y))
					}
				}
			}
			drawn[name] = set
		}
	}
	return drawn
})

// drawText draws s with its upper left corner at p, each pixel of the font as scale by scale pixels.
func drawText(img *image.RGBA, p image.Point, s string, scale int, c color.RGBA) {
	for _, r := range s {
		set, ok := glyphs()[r]
		if !ok {
			set = glyphs()['?']
		}
		for _, q := range set {
			fill(img, image.Rect(q.X, q.Y, q.X+1, q.Y+1), scale, p, c)
		}
		p.X += glyphAdvance * scale
	}
}

// fill fills a rectangle of font pixels.
func fill(img *image.RGBA, r image.Rectangle, scale int, at image.Point, c color.RGBA) {
	r = image.Rectangle{r.Min.Mul(scale), r.Max.Mul(scale)}.Add(at).Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			img.SetRGBA(x, y, c)
		}
	}
}

// textWidth returns the width of s in pixels.
func textWidth(s string, scale int) int {
	n := len([]rune(s))
	if n == 0 {
		return 0
	}
	return (n*glyphAdvance - 1) * scale
}
