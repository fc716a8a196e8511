package mp4

import "github.com/sprocket-video/sprocket/container"

// videoCodecs, audioCodecs and textCodecs give FFmpeg's names for the formats of sample entries.
var videoCodecs = map[string]string{
	"avc1": "h264", "avc2": "h264", "avc3": "h264", "avc4": "h264", "dva1": "h264", "dvav": "h264", "ai5p": "h264", "ai55": "h264",
	"hvc1": "hevc", "hev1": "hevc", "hvc2": "hevc", "hev2": "hevc", "dvh1": "hevc", "dvhe": "hevc",
	"vvc1": "vvc", "vvi1": "vvc",
	"av01": "av1", "dav1": "av1", "vp08": "vp8", "vp09": "vp9",
	"mp4v": "mpeg4", "DIVX": "mpeg4", "XVID": "mpeg4", "3IV2": "mpeg4", "FMP4": "mpeg4",
	"jpeg": "mjpeg", "mjpa": "mjpeg", "AVDJ": "mjpeg", "dmb1": "mjpeg", "mjpb": "mjpegb", "mjp2": "jpeg2000",
	"apch": "prores", "apcn": "prores", "apcs": "prores", "apco": "prores", "ap4h": "prores", "ap4x": "prores", "aprn": "prores",
	"m1v ": "mpeg1video", "m1v1": "mpeg1video", "mpeg": "mpeg1video", "mp1v": "mpeg1video",
	"m2v1": "mpeg2video", "mp2v": "mpeg2video", "mpg2": "mpeg2video",
	"hdv1": "mpeg2video", "hdv2": "mpeg2video", "hdv3": "mpeg2video", "hdv5": "mpeg2video", "hdv6": "mpeg2video",
	"xdv1": "mpeg2video", "xdv2": "mpeg2video", "xdv3": "mpeg2video", "xdvb": "mpeg2video", "xdvc": "mpeg2video",
	"xd54": "mpeg2video", "xd55": "mpeg2video", "xd5b": "mpeg2video", "xd5c": "mpeg2video", "mx3n": "mpeg2video", "mx5p": "mpeg2video",
	"s263": "h263", "h263": "h263", "H263": "h263", "h261": "h261",
	"SVQ1": "svq1", "svq1": "svq1", "SVQ3": "svq3", "cvid": "cinepak", "rle ": "qtrle", "smc ": "smc", "rpza": "rpza", "8BPS": "8bps",
	"png ": "png", "MNG ": "png", "tiff": "tiff", "gif ": "gif", "tga ": "targa",
	"dvc ": "dvvideo", "dvcp": "dvvideo", "dvpp": "dvvideo", "dv5n": "dvvideo", "dv5p": "dvvideo", "dvsd": "dvvideo",
	"dvh2": "dvvideo", "dvh3": "dvvideo", "dvh5": "dvvideo", "dvh6": "dvvideo", "dvhp": "dvvideo", "dvhq": "dvvideo",
	"AVdn": "dnxhd", "AVdh": "dnxhd", "Hap1": "hap", "Hap5": "hap", "HapY": "hap", "HapA": "hap", "HapM": "hap",
	"CFHD": "cfhd", "icod": "aic", "FFV1": "ffv1", "drac": "dirac", "vc-1": "vc1", "WMV3": "wmv3",
	"raw ": "rawvideo", "yuv2": "rawvideo", "2vuy": "rawvideo", "yuvs": "rawvideo", "v210": "v210", "v410": "v410", "v308": "v308", "v408": "v408",
}

var audioCodecs = map[string]string{
	"mp4a": "aac", ".mp3": "mp3", "mp3 ": "mp3", ".mp1": "mp1", ".mp2": "mp2", "ms\x00\x55": "mp3", "ms\x00\x50": "mp2",
	"Opus": "opus", "fLaC": "flac", "alac": "alac", "spex": "speex", "SPXN": "speex",
	"ac-3": "ac3", "sac3": "ac3", "ec-3": "eac3", "ac-4": "ac4", "mlpa": "truehd",
	"dtsc": "dts", "dtse": "dts", "dtsh": "dts", "dtsl": "dts", "DTS ": "dts", "dtsx": "dts",
	"samr": "amr_nb", "sawb": "amr_wb", "mha1": "mpegh_3d_audio", "mhm1": "mpegh_3d_audio", "iamf": "iamf",
	"alaw": "pcm_alaw", "ulaw": "pcm_mulaw", "ima4": "adpcm_ima_qt", "ms\x00\x02": "adpcm_ms", "ms\x00\x11": "adpcm_ima_wav",
	"MAC3": "mace3", "MAC6": "mace6", "QDMC": "qdmc", "QDM2": "qdm2", "Qclp": "qcelp", "agsm": "gsm", "sqcp": "qcelp", "sevc": "evrc",
	"twos": "pcm_s16be", "sowt": "pcm_s16le", "raw ": "pcm_u8", "NONE": "pcm_u8", "lpcm": "pcm_s16le", "ipcm": "pcm_s16le", "fpcm": "pcm_f32le",
	"in24": "pcm_s24be", "in32": "pcm_s32be", "fl32": "pcm_f32be", "fl64": "pcm_f64be",
}

var textCodecs = map[string]string{
	"tx3g": "mov_text", "text": "mov_text", "wvtt": "webvtt", "stpp": "ttml", "c608": "eia_608", "mp4s": "dvd_subtitle",
}

// objectTypes are the objectTypeIndication values of ISO/IEC 14496-1 with the registrations of MP4RA.
var objectTypes = map[byte]string{
	0x08: "mov_text", 0x20: "mpeg4", 0x21: "h264", 0x23: "hevc",
	0x40: "aac", 0x60: "mpeg2video", 0x61: "mpeg2video", 0x62: "mpeg2video", 0x63: "mpeg2video", 0x64: "mpeg2video", 0x65: "mpeg2video",
	0x66: "aac", 0x67: "aac", 0x68: "aac", 0x69: "mp3", 0x6a: "mpeg1video", 0x6b: "mp3", 0x6c: "mjpeg", 0x6d: "png", 0x6e: "jpeg2000",
	0xa3: "vc1", 0xa4: "dirac", 0xa5: "ac3", 0xa6: "eac3", 0xa9: "dts", 0xad: "opus", 0xb1: "vp9", 0xc1: "flac",
	0xdd: "vorbis", 0xe0: "dvd_subtitle", 0xe1: "qcelp",
}

// codecName returns the codec of a sample entry, before its configuration is looked at.
func codecName(kind container.Kind, fourCC string) string {
	switch kind {
	case container.Video:
		return videoCodecs[fourCC]
	case container.Audio:
		return audioCodecs[fourCC]
	case container.Subtitle:
		return textCodecs[fourCC]
	}
	return ""
}

// pcmName returns the name of a PCM format.
func pcmName(bits int, float, signed, big bool) string {
	order := "le"
	if big {
		order = "be"
	}
	switch {
	case float && bits == 32:
		return "pcm_f32" + order
	case float && bits == 64:
		return "pcm_f64" + order
	case float:
		return ""
	case bits == 8 && signed:
		return "pcm_s8"
	case bits == 8:
		return "pcm_u8"
	case bits == 16 && signed:
		return "pcm_s16" + order
	case bits == 16:
		return "pcm_u16" + order
	case bits == 24 && signed:
		return "pcm_s24" + order
	case bits == 32 && signed:
		return "pcm_s32" + order
	case bits == 64 && signed:
		return "pcm_s64" + order
	}
	return ""
}

// pcmBits are the bits a sample of the codecs that have a fixed number of them.
var pcmBits = map[string]int{
	"pcm_u8": 8, "pcm_s8": 8, "pcm_alaw": 8, "pcm_mulaw": 8,
	"pcm_s16le": 16, "pcm_s16be": 16, "pcm_u16le": 16, "pcm_u16be": 16, "pcm_s24le": 24, "pcm_s24be": 24,
	"pcm_s32le": 32, "pcm_s32be": 32, "pcm_s64le": 64, "pcm_s64be": 64,
	"pcm_f32le": 32, "pcm_f32be": 32, "pcm_f64le": 64, "pcm_f64be": 64,
}
