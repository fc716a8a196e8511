// What go-astiav does not bind, as few and as short functions as will do. All decisions are made in Go.
#ifndef SPROCKET_SHIM_H
#define SPROCKET_SHIM_H

#include <stddef.h>
#include <stdint.h>

struct AVCodecContext;
struct AVFrame;
struct AVPacket;
struct SwsContext;

// What Go wants to know of a decoded picture. The Go type picture has the same layout.
typedef struct sprocket_picture {
	int64_t token;
	int32_t width, height, format, matrix, range, errors;
} sprocket_picture;

// How a scaler is to be made. The Go type scaling has the same layout.
typedef struct sprocket_scaling {
	int32_t src_width, src_height, src_format;
	int32_t dst_width, dst_height, dst_format;
	int32_t flags, matrix, range, chroma_pos;
} sprocket_scaling;

int sprocket_is_video(const char *decoder);
int sprocket_prepare(struct AVCodecContext *c, uint32_t tag);
int sprocket_send(struct AVCodecContext *c, struct AVPacket *p, const uint8_t *data, int size, int64_t token, int key,
                  const uint8_t *config, int config_size);
int sprocket_receive(struct AVCodecContext *c, struct AVFrame *f, sprocket_picture *out);
void sprocket_flush(struct AVCodecContext *c);

struct SwsContext *sprocket_sws_new(const sprocket_scaling *s, int *err);
int sprocket_sws_align(const struct SwsContext *c);
void sprocket_sws_free(struct SwsContext *c);
struct AVFrame *sprocket_shell_new(int width, int height, int format);
struct AVFrame *sprocket_image_new(int width, int height, int format);
void sprocket_frame_part(struct AVFrame *view, const struct AVFrame *of, int byte, int row, int width, int height);
void sprocket_frame_free(struct AVFrame *f);
int sprocket_sws_rows(struct SwsContext *c, const struct AVFrame *src, struct AVFrame *shell, int y, int rows, uint8_t *out, int stride);

int sprocket_raw_size(const struct AVFrame *f);
int sprocket_raw_copy(const struct AVFrame *f, uint8_t *dst, int size);

// One call to the kernels. The Go type store has the same layout.
typedef struct sprocket_store {
	int64_t src_stride;            // bytes
	int64_t dx, dy, dc;            // steps in dst for a column, a row and a channel of src, in elements
	int32_t width, rows, channels; // of src
	int32_t wide;                  // src has 16-bit samples
	int32_t floats;                // dst has float32 in [0, 1]; else dst is as src
	int32_t set;                   // the kernels used at most: 0 the fastest of this machine, or one of those below
} sprocket_store;

enum { SPROCKET_PLAIN = 1, SPROCKET_SSSE3 };

void sprocket_store_rows(const sprocket_store *s, const void *src, void *dst);

#endif
