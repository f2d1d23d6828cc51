/* lunet/kernels/im2col.h - write the patches that a window sees as the columns
 * of a matrix, and add such a matrix back onto the image.
 *
 * columns[(c,ky,kx), (oy,ox)] = image[c, oy*S + ky*D - P, ox*S + kx*D - P]
 *
 * and 0 where that lies outside the image. With it a convolution is one matrix
 * product: (K, C*KH*KW) weights times (C*KH*KW, OH*OW) columns. ln_fold is the
 * transpose of ln_unfold, so it carries the gradient back. The idea is known
 * as im2col (Chellapilla, Puri, Simard 2006).
 *
 * Usable alone: C11 and C++, no other header of Lunet's. */
#ifndef LUNET_KERNELS_IM2COL_H
#define LUNET_KERNELS_IM2COL_H

#include <stdint.h>

/* Pairs are rows, columns. `pad` is what lies before the image (above, left);
 * what lies behind it follows from `places`. */
typedef struct ln_patches {
  int64_t channels, height, width;
  int64_t kernel[2], stride[2], dilation[2], pad[2];
  int64_t places[2]; /* of the window: OH, OW */
} ln_patches;

/* The first place o >= 0 with o*stride + offset >= bound, at most `places`. */
static inline int64_t ln_first_place_(int64_t bound, int64_t offset,
                                      int64_t stride, int64_t places) {
  const int64_t gap = bound - offset;
  const int64_t place = gap <= 0 ? 0 : (gap + stride - 1) / stride;
  return place < places ? place : places;
}

/* One row of places: from `row` of the image, NULL if that lies outside. */
static inline void ln_unfold_row_(const ln_patches *p, const float *row,
                                  int64_t offset, float *out) {
  const int64_t places = p->places[1], stride = p->stride[1];
  const int64_t begin = ln_first_place_(0, offset, stride, places);
  const int64_t end = ln_first_place_(p->width, offset, stride, places);
  if (!row || begin >= end) {
    for (int64_t o = 0; o < places; o++) out[o] = 0;
    return;
  }
  for (int64_t o = 0; o < begin; o++) out[o] = 0;
  if (stride == 1)
    for (int64_t o = begin; o < end; o++) out[o] = row[o + offset];
  else
    for (int64_t o = begin; o < end; o++) out[o] = row[o * stride + offset];
  for (int64_t o = end; o < places; o++) out[o] = 0;
}

static inline void ln_fold_row_(const ln_patches *p, const float *in,
                                int64_t offset, float *row) {
  const int64_t places = p->places[1], stride = p->stride[1];
  const int64_t begin = ln_first_place_(0, offset, stride, places);
  const int64_t end = ln_first_place_(p->width, offset, stride, places);
  if (stride == 1)
    for (int64_t o = begin; o < end; o++) row[o + offset] += in[o];
  else
    for (int64_t o = begin; o < end; o++) row[o * stride + offset] += in[o];
}

/* image (channels, height, width) -> columns, whose rows are `row` floats
 * apart: several images may lie side by side. */
static inline void ln_unfold_beside(const ln_patches *p, const float *image,
                                    float *columns, int64_t row) {
  const int64_t gap = row - p->places[0] * p->places[1];
  for (int64_t c = 0; c < p->channels; c++)
    for (int64_t ky = 0; ky < p->kernel[0]; ky++)
      for (int64_t kx = 0; kx < p->kernel[1]; kx++, columns += gap)
        for (int64_t oy = 0; oy < p->places[0]; oy++) {
          const int64_t iy =
              oy * p->stride[0] + ky * p->dilation[0] - p->pad[0];
          const int inside = iy >= 0 && iy < p->height;
          ln_unfold_row_(p,
                         inside ? image + (c * p->height + iy) * p->width : 0,
                         kx * p->dilation[1] - p->pad[1], columns);
          columns += p->places[1];
        }
}

/* One image alone. */
static inline void ln_unfold(const ln_patches *p, const float *image,
                             float *columns) {
  ln_unfold_beside(p, image, columns, p->places[0] * p->places[1]);
}

/* Adds columns onto the image: each element to the pixel that it came from. */
static inline void ln_fold(const ln_patches *p, const float *columns,
                           float *image) {
  for (int64_t c = 0; c < p->channels; c++)
    for (int64_t ky = 0; ky < p->kernel[0]; ky++)
      for (int64_t kx = 0; kx < p->kernel[1]; kx++)
        for (int64_t oy = 0; oy < p->places[0]; oy++) {
          const int64_t iy =
              oy * p->stride[0] + ky * p->dilation[0] - p->pad[0];
          if (iy >= 0 && iy < p->height)
            ln_fold_row_(p, columns, kx * p->dilation[1] - p->pad[1],
                         image + (c * p->height + iy) * p->width);
          columns += p->places[1];
        }
}

#endif
