package layers

// rule says what a package may import. The standard library is always allowed, but for unsafe and C.
type rule struct {
	ours    string // packages of this module, separated by spaces; "all" is every one of them
	outside string // modules or parts of them: what is below a path is allowed with it
	unsafe  bool   // may import unsafe
	cgo     bool   // may import "C"
}

const (
	cobra       = "github.com/spf13/cobra"
	cmp         = "github.com/google/go-cmp"
	goAstiav    = "github.com/asticode/go-astiav"
	goMP4       = "github.com/abema/go-mp4"
	gortsplib   = "github.com/bluenviron/gortsplib/v4"
	mediaCodecs = "github.com/bluenviron/mediacommon/v2/pkg/codecs"
	mediaAll    = "github.com/bluenviron/mediacommon/v2/pkg"
	purego      = "github.com/ebitengine/purego"

	belowRoot = "source tensor container mp4 mpegts hls seek codec internal/bitstream"
)

// rules has one row a package. Data flows one way: from source through container and seek to codec and tensor.
var rules = map[string]rule{
	"source":              {},
	"tensor":              {unsafe: true},
	"container":           {ours: "source"},
	"mp4":                 {ours: "source container internal/bitstream internal/column", outside: goMP4 + " " + mediaCodecs},
	"mpegts":              {ours: "source container internal/bitstream internal/column internal/transport", outside: mediaCodecs},
	"hls":                 {ours: "source container mp4 mpegts"},
	"rtsp":                {ours: "container", outside: gortsplib},
	"seek":                {ours: "container source internal/bitstream internal/column internal/transport"},
	"codec":               {ours: "container tensor"},
	"codec/ffmpeg":        {ours: "container tensor codec internal/bitstream", outside: goAstiav + " " + purego, unsafe: true, cgo: true},
	"codec/nvdec":         {ours: "container tensor codec internal/bitstream", outside: purego, unsafe: true},
	".":                   {ours: belowRoot},
	"stream":              {ours: belowRoot + " ."},
	"encode":              {ours: belowRoot + " .", outside: goMP4 + " " + mediaAll},
	"serve":               {ours: belowRoot + " ."},
	"conformance":         {ours: belowRoot + " ."},
	"cmd/sprocket":        {ours: "all", outside: cobra},
	"internal/bench":      {ours: "all"},
	"internal/bitstream":  {ours: "container", outside: mediaCodecs},
	"internal/column":     {},
	"internal/fuzzcorpus": {ours: "all"},
	"internal/layers":     {},
	"internal/testmedia":  {ours: "container"},
	"internal/transport":  {ours: "container source"},
}

// everyTest is what the tests of every package may import besides what the package may.
var everyTest = rule{ours: "internal/testmedia", outside: cmp}

// testRules has a row for each package whose tests need more. Only tests of packages that decode link a backend in.
var testRules = map[string]rule{
	"seek":         {ours: "source mp4 mpegts"},
	"codec":        {ours: "codec/ffmpeg"},
	"codec/ffmpeg": {ours: "source mp4 mpegts seek"},
	"codec/nvdec":  {ours: "source mp4 mpegts seek codec/ffmpeg"},
	".":            {ours: "codec/ffmpeg"},
	"stream":       {ours: "codec/ffmpeg"},
	"encode":       {ours: "codec/ffmpeg"},
	"serve":        {ours: "codec/ffmpeg"},
	"conformance":  {ours: "codec/ffmpeg"},
}
