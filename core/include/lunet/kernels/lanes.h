/* lunet/kernels/lanes.h - channels side by side in a vector.
 *
 * An image lies in memory channel by channel. Kernels that treat LN_VECTOR
 * channels at once want them side by side instead, in the lanes of a vector:
 *
 *     lanes[p * LN_VECTOR + c] = image[c * channel + p]      p: a pixel
 *
 * ln_to_lanes and ln_from_lanes turn one form into the other, LN_VECTOR pixels
 * at a time: a square of LN_VECTOR x LN_VECTOR numbers is transposed in
 * registers. Nothing is read or written beyond the image. */
#ifndef LUNET_KERNELS_LANES_H
#define LUNET_KERNELS_LANES_H

#include <lunet/kernels/vector.h>

#include <stdint.h>
#include <string.h>

/* f(0, s), f(1, s), ... for each lane. */
#define LN_4_(f, i, s) f(i, s), f(i + 1, s), f(i + 2, s), f(i + 3, s)
#define LN_8_(f, i, s) LN_4_(f, i, s), LN_4_(f, i + 4, s)
#if LN_VECTOR == 16
#define LN_EACH_LANE_(f, s) LN_8_(f, 0, s), LN_8_(f, 8, s)
#elif LN_VECTOR == 8
#define LN_EACH_LANE_(f, s) LN_8_(f, 0, s)
#else
#define LN_EACH_LANE_(f, s) LN_4_(f, 0, s)
#endif

/* Lane i of the two rows that trade squares of s x s: which of the 2 *
 * LN_VECTOR numbers of both rows goes there. */
#define LN_UPPER_(i, s) ((i) & (s) ? LN_VECTOR + (i) - (s) : (i))
#define LN_LOWER_(i, s) ((i) & (s) ? LN_VECTOR + (i) : (i) + (s))

#ifdef __clang__
#define LN_PICK_(a, b, f, s) \
  __builtin_shufflevector(a, b, LN_EACH_LANE_(f, s))
#else
typedef int ln_lane_numbers_ __attribute__((vector_size(LN_VECTOR * 4)));
#define LN_PICK_(a, b, f, s) \
  __builtin_shuffle(a, b, (ln_lane_numbers_){ LN_EACH_LANE_(f, s) })
#endif

/* A vector whose lane i is number f(i, 0) of a and b, taken as 2 * LN_VECTOR
 * numbers; f is a macro. */
#define LN_PICK(a, b, f) LN_PICK_(a, b, f, 0)

/* Such f: the even elements of a b, the odd ones; and the way back, the first
 * and the second half of a0 b0 a1 b1 ... */
#define LN_EVEN(i, s)   (2 * (i))
#define LN_ODD(i, s)    (2 * (i) + 1)
#define LN_FIRST(i, s)  ((i) / 2 + (i) % 2 * LN_VECTOR)
#define LN_SECOND(i, s) (LN_FIRST(i, s) + LN_VECTOR / 2)

/* One step of a transposition: of each square of 2s x 2s, the upper right and
 * the lower left quarter change places. */
#define LN_TRADE_(row, s)                                       \
  _Pragma("GCC unroll 16") for (int i = 0; i < LN_VECTOR; i++)  \
    if (!(i & (s))) {                                           \
      ln_vector upper = row[i], lower = row[i + (s)];           \
      row[i] = LN_PICK_(upper, lower, LN_UPPER_, s);            \
      row[i + (s)] = LN_PICK_(upper, lower, LN_LOWER_, s);      \
    }

LN_INLINE void ln_transpose_(ln_vector row[LN_VECTOR]) {
  LN_TRADE_(row, 1)
  LN_TRADE_(row, 2)
#if LN_VECTOR >= 8
  LN_TRADE_(row, 4)
#endif
#if LN_VECTOR >= 16
  LN_TRADE_(row, 8)
#endif
}

/* The sum of the lanes, one after the other. */
static inline double ln_sum_of_lanes(ln_vector v) {
  double sum = 0;
  for (int i = 0; i < LN_VECTOR; i++) sum += (double)v[i];
  return sum;
}

/* Lane i is the sum of the lanes of vector i of LN_VECTOR vectors, added up in
 * pairs. */
static inline ln_vector ln_sums_of_lanes(const float *from) {
  ln_vector row[LN_VECTOR];
#pragma GCC unroll 16
  for (int i = 0; i < LN_VECTOR; i++) row[i] = ln_load(from + i * LN_VECTOR);
  ln_transpose_(row);
#pragma GCC unroll 4
  for (int half = LN_VECTOR / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; i++) row[i] += row[i + half];
  return row[0];
}

/* As ln_load, but zeros from `end` on. */
static inline ln_vector ln_load_before(const float *p, const float *end) {
  return p < end ? ln_load_first(p, end - p, 0) : (ln_vector){ 0 };
}

/* The first pixels of fewer channels, or near the end of the image. */
__attribute__((noinline, unused)) static void ln_edge_to_lanes_(
    const float *from, ptrdiff_t channel, int64_t channels, const float *end,
    float *to, ptrdiff_t to_row) {
  ln_vector row[LN_VECTOR];
  for (int c = 0; c < LN_VECTOR; c++)
    row[c] = c < channels ? ln_load_before(from + c * channel, end)
                          : (ln_vector){ 0 };
  ln_transpose_(row);
  for (int i = 0; i < LN_VECTOR; i++) ln_store(to + i * to_row, row[i]);
}

/* `channels` (at most LN_VECTOR; the other lanes become 0) of some pixels.
 * `end` is where the memory that may be read ends. `to` has room for whole
 * squares: pixels rounded up to a multiple of LN_VECTOR; what stands behind
 * the last pixel is arbitrary. Rows of lanes are `to_row` floats apart. */
LN_INLINE void ln_to_lane_rows(const float *from, ptrdiff_t channel,
                               int64_t channels, int64_t pixels,
                               const float *end, float *to, ptrdiff_t to_row) {
  for (int64_t p = 0; p < pixels; p += LN_VECTOR, to += LN_VECTOR * to_row) {
    const float *last = from + p + (LN_VECTOR - 1) * channel;
    if (channels < LN_VECTOR || last + LN_VECTOR > end) {
      ln_edge_to_lanes_(from + p, channel, channels, end, to, to_row);
      continue;
    }
    ln_vector row[LN_VECTOR];
#pragma GCC unroll 16
    for (int c = 0; c < LN_VECTOR; c++)
      row[c] = ln_load(from + p + c * channel);
    ln_transpose_(row);
#pragma GCC unroll 16
    for (int i = 0; i < LN_VECTOR; i++) ln_store(to + i * to_row, row[i]);
  }
}

static inline void ln_to_lanes(const float *from, ptrdiff_t channel,
                               int64_t channels, int64_t pixels,
                               const float *end, float *to) {
  ln_to_lane_rows(from, channel, channels, pixels, end, to, LN_VECTOR);
}

__attribute__((noinline, unused)) static void ln_edge_from_lanes_(
    const float *from, int64_t pixels, float *to, ptrdiff_t channel,
    int64_t channels) {
  for (int64_t c = 0; c < channels; c++)
    for (int64_t p = 0; p < pixels; p++)
      to[c * channel + p] = from[p * LN_VECTOR + c];
}

/* And back; exactly `pixels` of `channels` are written. */
static inline void ln_from_lanes(const float *from, int64_t pixels, float *to,
                                 ptrdiff_t channel, int64_t channels) {
  if (channels < LN_VECTOR || pixels < LN_VECTOR) {
    ln_edge_from_lanes_(from, pixels, to, channel, channels);
    return;
  }
  for (int64_t i = 0; i < pixels; i += LN_VECTOR) {
    /* the last square overlaps the one before it */
    const int64_t p = i + LN_VECTOR <= pixels ? i : pixels - LN_VECTOR;
    ln_vector row[LN_VECTOR];
#pragma GCC unroll 16
    for (int j = 0; j < LN_VECTOR; j++)
      row[j] = ln_load(from + (p + j) * LN_VECTOR);
    ln_transpose_(row);
#pragma GCC unroll 16
    for (int c = 0; c < LN_VECTOR; c++) ln_store(to + p + c * channel, row[c]);
  }
}

#endif
