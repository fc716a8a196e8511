// Frames by FFMS2, on one thread, converted by libswscale with flags 0: its own conversion is another. Arguments: a task, a number, whether to hash (0 or 1, then the RGB bytes go to standard output),
// then files, "--" and frame numbers. The line at the end, on standard error: frames, nanoseconds of wall clock and of CPU.
#include <ffms.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static char text[512];
static FFMS_ErrorInfo why = {.Buffer = text, .BufferSize = sizeof text};
static int hash, frames;

static void must(int ok) {
	if (!ok) {
		fprintf(stderr, "ffms2: %s\n", text);
		exit(1);
	}
}

static FFMS_VideoSource *opened(const char *name) {
	FFMS_Indexer *indexer = FFMS_CreateIndexer(name, &why);
	must(indexer != NULL);
	FFMS_Index *index = FFMS_DoIndexing2(indexer, FFMS_IEH_ABORT, &why);
	must(index != NULL);
	int track = FFMS_GetFirstTrackOfType(index, FFMS_TYPE_VIDEO, &why);
	must(track >= 0);
	FFMS_VideoSource *v = FFMS_CreateVideoSource(name, track, index, 1, FFMS_SEEK_NORMAL, &why);
	must(v != NULL);
	FFMS_DestroyIndex(index);
	return v;
}

static struct SwsContext *scaler;
static int width, height, format;
static uint8_t *rgb;

static void convert(const FFMS_Frame *f) {
	if (!scaler || f->EncodedWidth != width || f->EncodedHeight != height || f->EncodedPixelFormat != format) {
		width = f->EncodedWidth, height = f->EncodedHeight, format = f->EncodedPixelFormat;
		sws_freeContext(scaler);
		scaler = sws_alloc_context();
		av_opt_set_int(scaler, "srcw", width, 0);
		av_opt_set_int(scaler, "srch", height, 0);
		av_opt_set_int(scaler, "src_format", format, 0);
		av_opt_set_int(scaler, "dstw", width, 0);
		av_opt_set_int(scaler, "dsth", height, 0);
		av_opt_set_int(scaler, "dst_format", FFMS_GetPixFmt("rgb24"), 0);
		av_opt_set_int(scaler, "sws_flags", 0, 0);
		av_opt_set_int(scaler, "src_v_chr_pos", 128, 0); // half-way, as FFmpeg's scale filter has it
		if (sws_init_context(scaler, NULL, NULL) < 0) {
			fprintf(stderr, "ffms2: no conversion\n");
			exit(1);
		}
		free(rgb);
		rgb = malloc((size_t)width * height * 3 + 64);
	}
	uint8_t *const out[] = {rgb};
	const int stride[] = {3 * width};
	sws_scale(scaler, (const uint8_t *const *)f->Data, f->Linesize, 0, height, out, stride);
}

static void give(FFMS_VideoSource *v, int n) {
	const FFMS_Frame *f = FFMS_GetFrame(v, n, &why);
	must(f != NULL);
	convert(f);
	if (hash)
		fwrite(rgb, 3, (size_t)width * height, stdout);
	frames++;
}

static long long wall(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long cpu(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

int main(int argc, char **argv) {
	if (argc < 5)
		return 2;
	const char *task = argv[1];
	int n = atoi(argv[2]), last = 4;
	hash = atoi(argv[3]);
	while (last < argc && strcmp(argv[last], "--"))
		last++;
	FFMS_Init(0, 0);
	long long w = wall(), c = cpu();
	for (int i = 4; i < last; i++) {
		FFMS_VideoSource *v = opened(argv[i]);
		int length = FFMS_GetVideoProperties(v)->NumFrames;
		if (!strcmp(task, "open")) {
			frames++;
			if (hash)
				printf("%d", length);
		} else if (!strcmp(task, "frames")) {
			for (int k = last + 1; k < argc; k++)
				give(v, atoi(argv[k]));
		} else if (!strcmp(task, "uniform")) {
			int m = n < length ? n : length;
			for (int k = 0; k < m; k++)
				give(v, (2 * k * (length - 1) + m - 1) / (2 * (m - 1)));
		} else {
			int step = !strcmp(task, "every") ? n : 1, stop = !strcmp(task, "first") && n < length ? n : length;
			for (int k = 0; k < stop; k += step)
				give(v, k);
		}
		FFMS_DestroyVideoSource(v);
	}
	w = wall() - w;
	c = cpu() - c;
	fprintf(stderr, "%d %lld %lld -\n", frames, w, c);
	return 0;
}
