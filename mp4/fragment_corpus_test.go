package mp4

// Why packets of fragmented files may differ from ffprobe 5.1.9's; see differences.
const (
	runDuration = "8.8.8: the track run tells every duration; ffprobe takes none from it, and puts a guess or 0 in its place"
	encryption  = "ffprobe stops at sample encryption boxes that it cannot read; no packet needs them to be listed"
)

var fragmentDifferences = []difference{
	{"mp4/androidx-dash/multi-track-with-offset/sample.audio.mp4", 1, "duration", 51, runDuration},
	{"mp4/androidx/fragmented_captions.mp4", 1, "duration", 59, runDuration},
	{"mp4/androidx/sample_eac3_fragmented.mp4", 1, "duration", 54, runDuration},
	{"mp4/androidx/sample_fragmented.mp4", 2, "duration", 1, runDuration},
	{"mp4/androidx/sample_fragmented_iamf.mp4", 1, "duration", 125, runDuration},
	{"mp4/androidx/sample_fragmented_sgpd_v2.mp4", 1, "duration", 864, runDuration},
	{"mp4/androidx/sample_opus_fragmented.mp4", 1, "duration", 250, runDuration},
	{"mp4/androidx/sample_partially_fragmented.mp4", 2, "duration", 1, runDuration},
	{"mp4/androidx/sample_with_increasing_timestamps_320w_240h_fragmented.mp4", 2, "duration", 4, runDuration},
	{"mp4/go-mp4/sample_fragmented.mp4", 2, "duration", 2, runDuration},
	{"mp4/mp4ff/bbb5s_aac_sidx.mp4", 3, "duration", 1, runDuration},
	{"mp4/mp4ff/cbcs.mp4", 1, "duration", 21, runDuration},
	{"mp4/mp4ff/cbcs.mp4", 1, "packets", 91, encryption},
	{"mp4/mp4ff/cbcsdec.mp4", 1, "duration", 21, runDuration},
	{"mp4/mp4ff/main_1.mp4", 1, "duration", 21, runDuration},
	{"mp4/mp4ff/opus.mp4", 1, "duration", 50, runDuration},
	{"mp4/mp4ff/prog_8s_dec_dashinit.mp4", 1, "duration", 1, runDuration},
	{"mp4/mp4ff/prog_8s_enc_dashinit.mp4", 1, "duration", 375, runDuration},
	{"ts/http-streaming/mp4Audio.mp4", 1, "duration", 1, runDuration},
	{"ts/http-streaming/mp4Video.mp4", 1, "duration", 2, runDuration},
}
