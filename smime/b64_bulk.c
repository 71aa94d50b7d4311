/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Base64 with the byte shuffles of AVX2: the method is that of W. Mula and
 * D. Lemire, "Faster Base64 Encoding and Decoding using AVX2 Instructions",
 * 2018. Other CPUs take the plain way.
 */
#include "smime/b64_bulk.h"

static bool is_off;

void b64_bulk_use(bool is_on)
{
	is_off = !is_on;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* Octets that are read for one block of 24, and behind a line. */
#define BLOCK_READS 28
#define LINE_READS (48 + BLOCK_READS)

static bool can(void)
{
	return !is_off && __builtin_cpu_supports("avx2");
}

AVX2 static __m256i both(__m128i x)
{
	return _mm256_broadcastsi128_si256(x);
}

/* 24 octets into the values of 32 characters. */
AVX2 static __m256i split(const unsigned char *p)
{
	const __m256i order = both(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4,
	    7, 6, 8, 7, 10, 9, 11, 10));
	__m256i in = _mm256_inserti128_si256(_mm256_castsi128_si256(
	    _mm_loadu_si128((const void *)p)),
	    _mm_loadu_si128((const void *)(p + 12)), 1);
	__m256i a, c;

	in = _mm256_shuffle_epi8(in, order);
	a = _mm256_mulhi_epu16(_mm256_and_si256(in,
	    _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
	c = _mm256_mullo_epi16(_mm256_and_si256(in,
	    _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
	return _mm256_or_si256(a, c);
}

/* Values into characters: what to add depends on the range. */
AVX2 static __m256i to_alphabet(__m256i v)
{
	const __m256i shift = both(_mm_setr_epi8('A', 'a' - 26, '0' - 52,
	    '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
	    '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 0, 0));
	__m256i range = _mm256_subs_epu8(v, _mm256_set1_epi8(51));

	range = _mm256_sub_epi8(range, _mm256_cmpgt_epi8(v,
	    _mm256_set1_epi8(25)));
	return _mm256_add_epi8(v, _mm256_shuffle_epi8(shift, range));
}

AVX2 static void encode_block(unsigned char *o, const unsigned char *p)
{
	_mm256_storeu_si256((void *)o, to_alphabet(split(p)));
}

AVX2 static size_t encode_lines(unsigned char *o, const unsigned char *p,
    size_t n, size_t lines)
{
	size_t i = 0;

	for (; i < lines && n >= LINE_READS; i++) {
		encode_block(o, p);
		encode_block(o + 32, p + 24);
		encode_block(o + 64, p + 48);
		o[B64_LINE] = '\r';
		o[B64_LINE + 1] = '\n';
		o += B64_LINE + 2;
		p += B64_LINE_IN;
		n -= B64_LINE_IN;
	}
	return i;
}

/*
 * 32 characters into their values; false when one is none. A character is
 * of the alphabet if what its high half allows has its low half.
 */
AVX2 static bool from_alphabet(__m256i *v)
{
	const __m256i low = both(_mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11,
	    0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b,
	    0x1a));
	const __m256i high = both(_mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04,
	    0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
	    0x10));
	const __m256i shift = both(_mm_setr_epi8(0, 63 - '/', 62 - '+',
	    52 - '0', -'A', -'A', 26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0,
	    0));
	const __m256i slash = _mm256_set1_epi8('/');
	__m256i top = _mm256_and_si256(_mm256_srli_epi32(*v, 4),
	    _mm256_set1_epi8(0x0f));
	__m256i bad = _mm256_and_si256(_mm256_shuffle_epi8(low,
	    _mm256_and_si256(*v, _mm256_set1_epi8(0x0f))),
	    _mm256_shuffle_epi8(high, top));

	if (!_mm256_testz_si256(bad, bad))
		return false;
	top = _mm256_add_epi8(top, _mm256_cmpeq_epi8(*v, slash));
	*v = _mm256_add_epi8(*v, _mm256_shuffle_epi8(shift, top));
	return true;
}

/* The values of 32 characters into 24 octets, and 8 zeros. */
AVX2 static __m256i join(__m256i v)
{
	const __m256i order = both(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8,
	    14, 13, 12, -1, -1, -1, -1));

	v = _mm256_maddubs_epi16(v, _mm256_set1_epi32(0x01400140));
	v = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00011000));
	v = _mm256_shuffle_epi8(v, order);
	return _mm256_permutevar8x32_epi32(v,
	    _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

/* The 12 characters that 76 have beside two blocks, with the 4 before. */
AVX2 static bool decode_rest(unsigned char *o, const unsigned char *p)
{
	__m256i v = both(_mm_loadu_si128((const void *)(p - 4)));

	if (!from_alphabet(&v))
		return false;
	_mm_storeu_si128((void *)(o - 3), _mm256_castsi256_si128(join(v)));
	return true;
}

/* Characters up to the first block with one that is not of the alphabet. */
AVX2 static size_t decode_line(unsigned char *o, const unsigned char *p,
    size_t n)
{
	size_t i = 0;

	for (; n - i >= 32; i += 32) {
		__m256i v = _mm256_loadu_si256((const void *)(p + i));

		if (!from_alphabet(&v))
			break;
		_mm256_storeu_si256((void *)(o + i / 4 * 3), join(v));
	}
	if (i > 0 && n - i >= 12 && decode_rest(o + i / 4 * 3, p + i))
		i += 12;
	return i;
}

AVX2 static size_t decode_lines(unsigned char *o, const unsigned char *p,
    size_t n, size_t *made)
{
	size_t i = 0;
	size_t k = 0;

	for (;;) {
		size_t used = decode_line(o + k, p + i, n - i);

		i += used;
		k += used / 4 * 3;
		if (n - i < 2 || p[i] != '\r' || p[i + 1] != '\n')
			break;
		i += 2;
	}
	*made = k;
	return i;
}

#else

static bool can(void)
{
	return false;
}

static size_t encode_lines(unsigned char *o, const unsigned char *p, size_t n,
    size_t lines)
{
	(void)o, (void)p, (void)n, (void)lines;
	return 0;
}

static size_t decode_lines(unsigned char *o, const unsigned char *p, size_t n,
    size_t *made)
{
	(void)o, (void)p, (void)n, (void)made;
	return 0;
}
#endif

size_t b64_bulk_encode(unsigned char *o, const unsigned char *p, size_t n,
    size_t lines)
{
	return can() ? encode_lines(o, p, n, lines) : 0;
}

size_t b64_bulk_decode(unsigned char *o, const unsigned char *p, size_t n,
    size_t *made)
{
	*made = 0;
	return can() ? decode_lines(o, p, n, made) : 0;
}
