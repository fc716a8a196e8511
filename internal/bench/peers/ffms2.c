// Frames by FFMS2, on one thread. Arguments: a task, a number, whether to hash (0 or 1, then the RGB bytes go to standard output),
// then files, "--" and frame numbers. The line at the end, on standard error: frames, nanoseconds of wall clock and of CPU.
#include <ffms.h>
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
	const FFMS_Frame *first = FFMS_GetFrame(v, 0, &why);
	must(first != NULL);
	int formats[] = {FFMS_GetPixFmt("rgb24"), -1};
	must(!FFMS_SetOutputFormatV2(v, formats, first->EncodedWidth, first->EncodedHeight, FFMS_RESIZER_BILINEAR, &why));
	return v;
}

static void give(FFMS_VideoSource *v, int n) {
	const FFMS_Frame *f = FFMS_GetFrame(v, n, &why);
	must(f != NULL);
	for (int y = 0; hash && y < f->ScaledHeight; y++)
		fwrite(f->Data[0] + (size_t)y * f->Linesize[0], 3, f->ScaledWidth, stdout);
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
