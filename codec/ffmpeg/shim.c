//go:build cgo

#include "shim.h"

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <string.h>

// Says whether a decoder decodes video, and that without hardware.
int sprocket_is_video(const char *decoder) {
	const AVCodec *c = avcodec_find_decoder_by_name(decoder);
	return c && c->type == AVMEDIA_TYPE_VIDEO && !(c->capabilities & AV_CODEC_CAP_HARDWARE);
}

// The codec context comes out of go-astiav as the first field of a Go struct: make sure that it is one.
int sprocket_prepare(AVCodecContext *c, uint32_t tag) {
	if (!c || c->av_class != avcodec_get_class())
		return AVERROR_BUG;
	c->codec_tag = tag;
	return 0;
}

// Sends one packet, or with size 0 the end of the stream. The packet is not reference counted,
// so libavcodec copies data into padded memory of its own before this returns.
int sprocket_send(AVCodecContext *c, AVPacket *p, const uint8_t *data, int size, int64_t token, int key,
                  const uint8_t *config, int config_size) {
	if (size == 0)
		return avcodec_send_packet(c, NULL);
	if (config_size > 0) {
		uint8_t *copy = av_packet_new_side_data(p, AV_PKT_DATA_NEW_EXTRADATA, config_size);
		if (!copy)
			return AVERROR(ENOMEM);
		memcpy(copy, config, config_size);
	}
	p->data = (uint8_t *)data;
	p->size = size;
	p->pts = token;
	p->flags = key ? AV_PKT_FLAG_KEY : 0;
	int err = avcodec_send_packet(c, p);
	p->data = NULL;
	p->size = 0;
	av_packet_unref(p);
	return err;
}

int sprocket_receive(AVCodecContext *c, AVFrame *f, sprocket_picture *out) {
	int err = avcodec_receive_frame(c, f);
	if (err < 0)
		return err;
	out->token = f->pts;
	out->width = f->width;
	out->height = f->height;
	out->format = f->format;
	out->matrix = f->colorspace;
	out->range = f->color_range;
	out->errors = f->decode_error_flags;
	return 0;
}

void sprocket_flush(AVCodecContext *c) { avcodec_flush_buffers(c); }

struct SwsContext *sprocket_sws_new(const sprocket_scaling *s, int *err) {
	struct SwsContext *c = sws_alloc_context();
	*err = AVERROR(ENOMEM);
	if (!c)
		return NULL;
	av_opt_set_int(c, "srcw", s->src_width, 0);
	av_opt_set_int(c, "srch", s->src_height, 0);
	av_opt_set_int(c, "src_format", s->src_format, 0);
	av_opt_set_int(c, "dstw", s->dst_width, 0);
	av_opt_set_int(c, "dsth", s->dst_height, 0);
	av_opt_set_int(c, "dst_format", s->dst_format, 0);
	av_opt_set_int(c, "sws_flags", s->flags, 0);
	av_opt_set_int(c, "src_v_chr_pos", s->chroma_pos, 0);
	*err = sws_init_context(c, NULL, NULL);
	if (*err < 0) {
		sws_freeContext(c);
		return NULL;
	}
	int *inverse, *table, full, dst_full, brightness, contrast, saturation;
	if (sws_getColorspaceDetails(c, &inverse, &full, &table, &dst_full, &brightness, &contrast, &saturation) >= 0) {
		const int *matrix = sws_getCoefficients(s->matrix);
		if (s->range >= 0)
			full = s->range;
		sws_setColorspaceDetails(c, matrix, full, matrix, dst_full, brightness, contrast, saturation);
	}
	return c;
}

int sprocket_sws_align(const struct SwsContext *c) { return sws_receive_slice_alignment(c); }

void sprocket_sws_free(struct SwsContext *c) { sws_freeContext(c); }

// A shell is a frame that refers to no pixels of its own: sprocket_sws_rows points it at memory.
AVFrame *sprocket_shell_new(int width, int height, int format) {
	AVFrame *f = av_frame_alloc();
	if (!f)
		return NULL;
	f->width = width;
	f->height = height;
	f->format = format;
	f->buf[0] = av_buffer_alloc(1); // without a buffer libswscale would allocate the picture
	if (!f->buf[0])
		av_frame_free(&f);
	return f;
}

AVFrame *sprocket_image_new(int width, int height, int format) {
	AVFrame *f = av_frame_alloc();
	if (!f)
		return NULL;
	f->width = width;
	f->height = height;
	f->format = format;
	if (av_frame_get_buffer(f, 0) < 0)
		av_frame_free(&f);
	else // libswscale reads pairs of pixels: the pixel after an odd row, the last one too, is 0 here as in FFmpeg's filters
		memset(f->buf[0]->data, 0, f->buf[0]->size);
	return f;
}

// Makes view, a shell, stand for a part of a packed picture.
void sprocket_frame_part(AVFrame *view, const AVFrame *of, int byte, int row, int width, int height) {
	view->data[0] = of->data[0] + (ptrdiff_t)row * of->linesize[0] + byte;
	view->linesize[0] = of->linesize[0];
	view->width = width;
	view->height = height;
}

void sprocket_frame_free(AVFrame *f) { av_frame_free(&f); }

// Converts rows y to y+rows-1 of the picture into out.
int sprocket_sws_rows(struct SwsContext *c, const AVFrame *src, AVFrame *shell, int y, int rows, uint8_t *out, int stride) {
	// libswscale adds y·stride itself.
	shell->data[0] = (uint8_t *)((uintptr_t)out - (uintptr_t)y * (uintptr_t)stride);
	shell->linesize[0] = stride;
	int err = sws_frame_start(c, shell, src);
	if (err < 0)
		return err;
	err = sws_send_slice(c, 0, src->height);
	if (err >= 0)
		err = sws_receive_slice(c, y, rows);
	sws_frame_end(c);
	shell->data[0] = NULL;
	return err;
}

int sprocket_raw_size(const AVFrame *f) { return av_image_get_buffer_size(f->format, f->width, f->height, 1); }

int sprocket_raw_copy(const AVFrame *f, uint8_t *dst, int size) {
	return av_image_copy_to_buffer(dst, size, (const uint8_t *const *)f->data, f->linesize, f->format, f->width, f->height, 1);
}
