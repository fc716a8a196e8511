//go:build cgo

// Pixel kernels: rows of packed samples, as libswscale writes them, into any order of axes, as they are or as float32.
#include "shim.h"

#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define X86 1
#endif

// x/255 and x/65535 rounded to float32, without a division: the constant in two parts, the first so short that its
// product is exact. A test of the package tries every x.
INLINE float unit8(uint8_t x) { return (float)x * 0x1.01p-8f + (float)x * 0x1.010102p-24f; }
INLINE float unit16(uint16_t x) { return (float)x * 0x1p-16f + (float)x * 0x1.0001p-32f; }

INLINE void units8(const uint8_t *restrict src, float *restrict dst, ptrdiff_t n) {
	for (ptrdiff_t i = 0; i < n; i++)
		dst[i] = unit8(src[i]);
}

INLINE void units16(const uint16_t *restrict src, float *restrict dst, ptrdiff_t n) {
	for (ptrdiff_t i = 0; i < n; i++)
		dst[i] = unit16(src[i]);
}

INLINE void split8(const uint8_t *restrict src, uint8_t *restrict a, uint8_t *restrict b, uint8_t *restrict c, int n) {
	for (int i = 0; i < n; i++) {
		a[i] = src[3 * i];
		b[i] = src[3 * i + 1];
		c[i] = src[3 * i + 2];
	}
}

INLINE void split16(const uint16_t *restrict src, uint16_t *restrict a, uint16_t *restrict b, uint16_t *restrict c, int n) {
	for (int i = 0; i < n; i++) {
		a[i] = src[3 * i];
		b[i] = src[3 * i + 1];
		c[i] = src[3 * i + 2];
	}
}

INLINE void swap8(const uint8_t *restrict src, uint8_t *restrict dst, int n) {
	for (int i = 0; i < n; i++) {
		dst[3 * i] = src[3 * i + 2];
		dst[3 * i + 1] = src[3 * i + 1];
		dst[3 * i + 2] = src[3 * i];
	}
}

INLINE void swap16(const uint16_t *restrict src, uint16_t *restrict dst, int n) {
	for (int i = 0; i < n; i++) {
		dst[3 * i] = src[3 * i + 2];
		dst[3 * i + 1] = src[3 * i + 1];
		dst[3 * i + 2] = src[3 * i];
	}
}

#ifdef X86

// One channel of 16 pixels of three bytes lies in three registers: gather picks it out of each, -1 gives zero.
#define G(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) _mm_setr_epi8(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)

INLINE __attribute__((target("ssse3"))) __m128i gather(__m128i u, __m128i v, __m128i w, __m128i mu, __m128i mv, __m128i mw) {
	return _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(u, mu), _mm_shuffle_epi8(v, mv)), _mm_shuffle_epi8(w, mw));
}

INLINE __attribute__((target("ssse3"))) void split8_x86(const uint8_t *src, uint8_t *a, uint8_t *b, uint8_t *c, int n) {
	const __m128i au = G(0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m128i av = G(-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1);
	const __m128i aw = G(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13);
	const __m128i bu = G(1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m128i bv = G(-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1);
	const __m128i bw = G(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14);
	const __m128i cu = G(2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m128i cv = G(-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1);
	const __m128i cw = G(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15);
	int i = 0;
	for (; i + 16 <= n; i += 16, src += 48) {
		__m128i u = _mm_loadu_si128((const __m128i *)src);
		__m128i v = _mm_loadu_si128((const __m128i *)(src + 16));
		__m128i w = _mm_loadu_si128((const __m128i *)(src + 32));
		_mm_storeu_si128((__m128i *)(a + i), gather(u, v, w, au, av, aw));
		_mm_storeu_si128((__m128i *)(b + i), gather(u, v, w, bu, bv, bw));
		_mm_storeu_si128((__m128i *)(c + i), gather(u, v, w, cu, cv, cw));
	}
	for (; i < n; i++, src += 3) {
		a[i] = src[0];
		b[i] = src[1];
		c[i] = src[2];
	}
}

INLINE __attribute__((target("ssse3"))) void split16_x86(const uint16_t *src, uint16_t *a, uint16_t *b, uint16_t *c, int n) {
	const __m128i au = G(0, 1, 6, 7, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m128i av = G(-1, -1, -1, -1, -1, -1, 2, 3, 8, 9, 14, 15, -1, -1, -1, -1);
	const __m128i aw = G(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 4, 5, 10, 11);
	const __m128i bu = G(2, 3, 8, 9, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m128i bv = G(-1, -1, -1, -1, -1, -1, 4, 5, 10, 11, -1, -1, -1, -1, -1, -1);
	const __m128i bw = G(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 6, 7, 12, 13);
	const __m128i cu = G(4, 5, 10, 11, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m128i cv = G(-1, -1, -1, -1, 0, 1, 6, 7, 12, 13, -1, -1, -1, -1, -1, -1);
	const __m128i cw = G(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 3, 8, 9, 14, 15);
	int i = 0;
	for (; i + 8 <= n; i += 8, src += 24) {
		__m128i u = _mm_loadu_si128((const __m128i *)src);
		__m128i v = _mm_loadu_si128((const __m128i *)(src + 8));
		__m128i w = _mm_loadu_si128((const __m128i *)(src + 16));
		_mm_storeu_si128((__m128i *)(a + i), gather(u, v, w, au, av, aw));
		_mm_storeu_si128((__m128i *)(b + i), gather(u, v, w, bu, bv, bw));
		_mm_storeu_si128((__m128i *)(c + i), gather(u, v, w, cu, cv, cw));
	}
	for (; i < n; i++, src += 3) {
		a[i] = src[0];
		b[i] = src[1];
		c[i] = src[2];
	}
}

// Sixteen bytes are five pixels and a byte that the next step overwrites; the last pixels go one by one.
INLINE __attribute__((target("ssse3"))) void swap8_x86(const uint8_t *src, uint8_t *dst, int n) {
	const __m128i m = G(2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, 15);
	int i = 0;
	for (; i + 6 <= n; i += 5, src += 15, dst += 15)
		_mm_storeu_si128((__m128i *)dst, _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)src), m));
	swap8(src, dst, n - i);
}

// Sixteen bytes are two pixels and four bytes of the next one.
INLINE __attribute__((target("ssse3"))) void swap16_x86(const uint16_t *src, uint16_t *dst, int n) {
	const __m128i m = G(4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7, 12, 13, 14, 15);
	int i = 0;
	for (; i + 3 <= n; i += 2, src += 6, dst += 6)
		_mm_storeu_si128((__m128i *)dst, _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)src), m));
	swap16(src, dst, n - i);
}

#endif

#define BLOCK 128 // pixels that go through the stack on their way to floats in another order

// Rows of planes, rows of pixels, and rows of pixels with the channels in reverse, for one instruction set.
#define ROWS(name, attr, SPLIT8, SPLIT16, SWAP8, SWAP16)                                                                                      \
	attr static void planes_##name(const sprocket_store *s, const void *src, void *dst) {                                     \
		int n = s->width;                                                                                                     \
		ptrdiff_t dc = s->dc;                                                                                                 \
		if (!s->floats && !s->wide) {                                                                                         \
			uint8_t *d = dst;                                                                                                 \
			SPLIT8(src, d, d + dc, d + 2 * dc, n);                                                                            \
			return;                                                                                                           \
		}                                                                                                                     \
		if (!s->floats) {                                                                                                     \
			uint16_t *d = dst;                                                                                                \
			SPLIT16(src, d, d + dc, d + 2 * dc, n);                                                                           \
			return;                                                                                                           \
		}                                                                                                                     \
		float *d = dst;                                                                                                       \
		for (int i = 0; i < n; i += BLOCK, d += BLOCK) {                                                                      \
			int m = n - i < BLOCK ? n - i : BLOCK;                                                                            \
			if (s->wide) {                                                                                                    \
				uint16_t t[3][BLOCK];                                                                                         \
				SPLIT16((const uint16_t *)src + 3 * i, t[0], t[1], t[2], m);                                                  \
				for (int c = 0; c < 3; c++)                                                                                   \
					units16(t[c], d + c * dc, m);                                                                             \
			} else {                                                                                                          \
				uint8_t t[3][BLOCK];                                                                                          \
				SPLIT8((const uint8_t *)src + 3 * i, t[0], t[1], t[2], m);                                                    \
				for (int c = 0; c < 3; c++)                                                                                   \
					units8(t[c], d + c * dc, m);                                                                              \
			}                                                                                                                 \
		}                                                                                                                     \
	}                                                                                                                         \
	attr static void packed_##name(const sprocket_store *s, const void *src, void *dst) {                                     \
		ptrdiff_t n = (ptrdiff_t)s->width * s->channels;                                                                      \
		if (!s->floats)                                                                                                       \
			memcpy(dst, src, n << s->wide);                                                                                   \
		else if (s->wide)                                                                                                     \
			units16(src, dst, n);                                                                                             \
		else                                                                                                                  \
			units8(src, dst, n);                                                                                              \
	}                                                                                                                         \
	attr static void swapped_##name(const sprocket_store *s, const void *src, void *dst) {                                    \
		int n = s->width;                                                                                                     \
		if (!s->floats && !s->wide) {                                                                                         \
			SWAP8(src, (uint8_t *)dst - 2, n);                                                                                \
			return;                                                                                                           \
		}                                                                                                                     \
		if (!s->floats) {                                                                                                     \
			SWAP16(src, (uint16_t *)dst - 2, n);                                                                              \
			return;                                                                                                           \
		}                                                                                                                     \
		float *d = (float *)dst - 2;                                                                                          \
		for (int i = 0; i < n; i += BLOCK, d += 3 * BLOCK) {                                                                  \
			int m = n - i < BLOCK ? n - i : BLOCK;                                                                            \
			if (s->wide) {                                                                                                    \
				uint16_t t[3 * BLOCK];                                                                                        \
				SWAP16((const uint16_t *)src + 3 * i, t, m);                                                                  \
				units16(t, d, 3 * m);                                                                                         \
			} else {                                                                                                          \
				uint8_t t[3 * BLOCK];                                                                                         \
				SWAP8((const uint8_t *)src + 3 * i, t, m);                                                                    \
				units8(t, d, 3 * m);                                                                                          \
			}                                                                                                                 \
		}                                                                                                                     \
	}

ROWS(plain, , split8, split16, swap8, swap16)
#ifdef X86
ROWS(ssse3, __attribute__((target("ssse3"))), split8_x86, split16_x86, swap8_x86, swap16_x86)
ROWS(avx2, __attribute__((target("avx2"))), split8_x86, split16_x86, swap8_x86, swap16_x86)
#endif

typedef void row_kernel(const sprocket_store *s, const void *src, void *dst);

enum { PLANES, PACKED, SWAPPED };

static row_kernel *choose(int order, int set) {
	static row_kernel *const plain[] = {planes_plain, packed_plain, swapped_plain};
#ifdef X86
	static row_kernel *const ssse3[] = {planes_ssse3, packed_ssse3, swapped_ssse3};
	static row_kernel *const avx2[] = {planes_avx2, packed_avx2, swapped_avx2};
	if (set != SPROCKET_PLAIN && set != SPROCKET_SSSE3 && __builtin_cpu_supports("avx2"))
		return avx2[order];
	if (set != SPROCKET_PLAIN && __builtin_cpu_supports("ssse3"))
		return ssse3[order];
#endif
	(void)set;
	return plain[order];
}

// Any steps at all. The inner loop runs along the axis whose steps in dst are the shorter.
#define STRIDED(name, from, to, convert)                                                                                       \
	static void strided_##name(const sprocket_store *s, const uint8_t *src, to *dst) {                                        \
		int columns = llabs(s->dx) < llabs(s->dy);                                                                            \
		int outer = columns ? s->rows : s->width, inner = columns ? s->width : s->rows, ch = s->channels;                     \
		ptrdiff_t pixel = ch * (ptrdiff_t)sizeof(from);                                                                       \
		ptrdiff_t so = columns ? s->src_stride : pixel, si = columns ? pixel : s->src_stride;                                 \
		ptrdiff_t od = columns ? s->dy : s->dx, id = columns ? s->dx : s->dy, dc = s->dc;                                     \
		for (int o = 0; o < outer; o++, src += so, dst += od) {                                                               \
			const uint8_t *p = src;                                                                                           \
			to *q = dst;                                                                                                      \
			if (ch == 1)                                                                                                      \
				for (int i = 0; i < inner; i++, p += si, q += id)                                                             \
					q[0] = convert(*(const from *)p);                                                                         \
			else                                                                                                              \
				for (int i = 0; i < inner; i++, p += si, q += id) {                                                           \
					q[0] = convert(((const from *)p)[0]);                                                                     \
					q[dc] = convert(((const from *)p)[1]);                                                                    \
					q[2 * dc] = convert(((const from *)p)[2]);                                                                \
				}                                                                                                             \
		}                                                                                                                     \
	}

#define SAME(x) (x)
STRIDED(8, uint8_t, uint8_t, SAME)
STRIDED(16, uint16_t, uint16_t, SAME)
STRIDED(8f, uint8_t, float, unit8)
STRIDED(16f, uint16_t, float, unit16)

// Writes the rows of src so that channel c of pixel (x, y) lands x·dx + y·dy + c·dc elements after dst.
void sprocket_store_rows(const sprocket_store *s, const void *src, void *dst) {
	int order = -1;
	if (s->channels == 3 && s->dx == 1)
		order = PLANES;
	else if (s->dx == s->channels && (s->channels == 1 || s->dc == 1))
		order = PACKED;
	else if (s->dx == 3 && s->dc == -1)
		order = SWAPPED;
	if (order >= 0) {
		row_kernel *row = choose(order, s->set);
		ptrdiff_t step = s->dy * (s->floats ? 4 : 1 << s->wide);
		for (int y = 0; y < s->rows; y++)
			row(s, (const uint8_t *)src + y * s->src_stride, (uint8_t *)dst + y * step);
		return;
	}
	if (s->floats && s->wide)
		strided_16f(s, src, dst);
	else if (s->floats)
		strided_8f(s, src, dst);
	else if (s->wide)
		strided_16(s, src, dst);
	else
		strided_8(s, src, dst);
}
