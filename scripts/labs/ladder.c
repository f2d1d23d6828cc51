/* ladder.c - a convolution made fast in steps; docs/labs/ladder.md leads up.
 *
 * Forward   y[n,k,oy,ox] = sum over c,ky,kx of
 *               w[k,c,ky,kx] * x[n,c,oy+ky,ox+kx]
 * Shapes    x (N,C,H,W)  w (K,C,3,3)  y (N,K,H-2,W-2): stride 1, no padding
 * Backward  none: only forward has a ladder
 *
 * A rung is one function, which convolves one image. `lunet bench --ladder`
 * builds this file for the machine at hand, without vectors but those that it
 * asks for, and climbs. Change a rung and climb again.
 */
#include <lunet/kernels/vector.h>
#include <lunet/plugin.h>
#include <string.h>

typedef struct ladder {
  int64_t in_channels, out_channels;
} ladder;

static const ln_option options[] = {
  LN_INT(ladder, in_channels, LN_FROM_INPUT, 1, LN_ANY, "channels of x, C"),
  LN_INT(ladder, out_channels, LN_REQUIRED, 1, LN_ANY,
         "number of filters, K, and so of channels of y"),
};

/* The letters of the sum. */
typedef struct sizes {
  int64_t C, H, W, K, OH, OW;
} sizes;

/* ---- rung 0: the textbook ------------------------------------------------ */

/* The sum as it stands above, a pixel of y after the other. */
static void textbook(sizes s, const float x[s.C][s.H][s.W],
                     const float w[s.K][s.C][3][3], float y[s.K][s.OH][s.OW]) {
  for (int64_t k = 0; k < s.K; k++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        float sum = 0;
        for (int64_t c = 0; c < s.C; c++)
          for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
              sum += w[k][c][ky][kx] * x[c][oy + ky][ox + kx];
        y[k][oy][ox] = sum;
      }
}

/* The same in float64: what the others' errors are measured against. */
static void float64(sizes s, const float x[s.C][s.H][s.W],
                    const float w[s.K][s.C][3][3], float y[s.K][s.OH][s.OW]) {
  for (int64_t k = 0; k < s.K; k++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        double sum = 0;
        for (int64_t c = 0; c < s.C; c++)
          for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
              sum += (double)w[k][c][ky][kx] * x[c][oy + ky][ox + kx];
        y[k][oy][ox] = (float)sum;
      }
}

/* ---- rung 1: reordered loops --------------------------------------------- */

/* One weight meets a whole row: x and y are read in the order of memory, and no
 * product waits for the sum before it. */
static void reordered(sizes s, const float x[s.C][s.H][s.W],
                      const float w[s.K][s.C][3][3], float y[s.K][s.OH][s.OW]) {
  memset(y, 0, (size_t)(s.K * s.OH * s.OW) * sizeof(float));
  for (int64_t k = 0; k < s.K; k++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t c = 0; c < s.C; c++)
        for (int ky = 0; ky < 3; ky++)
          for (int kx = 0; kx < 3; kx++) {
            const float weight = w[k][c][ky][kx];
            const float *row = &x[c][oy + ky][kx];
            for (int64_t ox = 0; ox < s.OW; ox++)
              y[k][oy][ox] += weight * row[ox];
          }
}

/* ---- rung 2: blocked for registers --------------------------------------- */

enum { FILTERS = 4, PIXELS = 3 };

/* 4 filters on 3 pixels: 12 sums stay in registers until they are complete, and
 * 3 pixels and 4 weights, once loaded, make 12 products. */
LN_INLINE void block(sizes s, const float x[s.C][s.H][s.W],
                     const float w[s.K][s.C][3][3], float y[s.K][s.OH][s.OW],
                     int64_t k, int64_t oy, int64_t ox) {
  float sum[FILTERS][PIXELS] = { { 0 } };
  for (int64_t c = 0; c < s.C; c++)
    for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
      for (int kx = 0; kx < 3; kx++) {
        const float *row = &x[c][oy + ky][ox + kx];
#pragma GCC unroll 4
        for (int f = 0; f < FILTERS; f++)
#pragma GCC unroll 3
          for (int p = 0; p < PIXELS; p++)
            sum[f][p] += w[k + f][c][ky][kx] * row[p];
      }
#pragma GCC unroll 4
  for (int f = 0; f < FILTERS; f++)
#pragma GCC unroll 3
    for (int p = 0; p < PIXELS; p++) y[k + f][oy][ox + p] = sum[f][p];
}

/* The last block is moved back so that it ends where y ends. It makes some
 * numbers for a second time, the same. */
static int64_t start_of(int64_t place, int64_t length, int64_t end) {
  return place + length <= end ? place : end - length;
}

static void blocked(sizes s, const float x[s.C][s.H][s.W],
                    const float w[s.K][s.C][3][3], float y[s.K][s.OH][s.OW]) {
  for (int64_t k = 0; k < s.K; k += FILTERS)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox += PIXELS)
        block(s, x, w, y, start_of(k, FILTERS, s.K), oy,
              start_of(ox, PIXELS, s.OW));
}

/* ---- rung 3: vectors ----------------------------------------------------- */

/* A quarter of the registers, twice, hold sums. */
enum { ROWS = LN_VECTOR_REGISTERS / 4, WIDTH = 2 * LN_VECTOR };

/* The same block, where a pixel has become a vector of LN_VECTOR pixels. */
LN_INLINE void vector_block(sizes s, const float x[s.C][s.H][s.W],
                            const float w[s.K][s.C][3][3],
                            float y[s.K][s.OH][s.OW], int64_t k, int64_t oy,
                            int64_t ox) {
  ln_vector left[ROWS] = { { 0 } }, right[ROWS] = { { 0 } };
  for (int64_t c = 0; c < s.C; c++)
    for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
      for (int kx = 0; kx < 3; kx++) {
        const float *row = &x[c][oy + ky][ox + kx];
        const ln_vector a = ln_load_once(row);
        const ln_vector b = ln_load_once(row + LN_VECTOR);
#pragma GCC unroll 8
        for (int f = 0; f < ROWS; f++) {
          left[f] += w[k + f][c][ky][kx] * a;
          right[f] += w[k + f][c][ky][kx] * b;
        }
      }
#pragma GCC unroll 8
  for (int f = 0; f < ROWS; f++) {
    ln_store(&y[k + f][oy][ox], left[f]);
    ln_store(&y[k + f][oy][ox + LN_VECTOR], right[f]);
  }
}

static void vectors(sizes s, const float x[s.C][s.H][s.W],
                    const float w[s.K][s.C][3][3], float y[s.K][s.OH][s.OW]) {
  for (int64_t k = 0; k < s.K; k += ROWS)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox += WIDTH)
        vector_block(s, x, w, y, start_of(k, ROWS, s.K), oy,
                     start_of(ox, WIDTH, s.OW));
}

/* ---- what every layer has ------------------------------------------------ */

static ln_status params(const void *self, ln_params *p) {
  const ladder *o = self;
  const double fan_in = 9 * (double)o->in_channels;
  ln_add_weight(p, "weight", LN_SHAPE(o->out_channels, o->in_channels, 3, 3),
                fan_in, 9 * (double)o->out_channels);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const ladder *o = self;
  static const int64_t three[2] = { 3, 3 }, one[2] = { 1, 1 }, zero[2];
  if (ln_slide(io, 2, three, one, one, zero, zero, false, false) != LN_OK)
    return LN_FAILED;
  io->flops = 18 * (double)o->in_channels * (double)ln_count(&io->y[0]);
  return LN_OK;
}

static sizes sizes_from(const int64_t *x, const int64_t *y) {
  return (sizes){
    .C = x[1], .H = x[2], .W = x[3], .K = y[1], .OH = y[2], .OW = y[3]
  };
}

static ln_status blocked_plan(const void *self, ln_infer *io) {
  const sizes s = sizes_from(io->x[0].dim, io->y[0].dim);
  (void)self;
  return s.K < FILTERS || s.OW < PIXELS ? LN_UNSUITED : LN_OK;
}

static ln_status vectors_plan(const void *self, ln_infer *io) {
  const sizes s = sizes_from(io->x[0].dim, io->y[0].dim);
  (void)self;
  return s.K < ROWS || s.OW < WIDTH ? LN_UNSUITED : LN_OK;
}

/* rung_forward: the rung on every image of the slice. */
#define FORWARD(rung)                                                          \
  static ln_status rung##_forward(const void *self, const ln_call *call) {     \
    const int64_t *shape = call->x[0]->shape.dim;                              \
    const sizes s = sizes_from(shape, call->y[0]->shape.dim);                  \
    const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);                    \
    const float(*w)[s.C][3][3] = (void *)ln_w(call, 0);                        \
    float(*y)[s.K][s.OH][s.OW] = (void *)ln_y(call, 0);                        \
    (void)self;                                                                \
    for (int64_t n = 0; n < shape[0]; n++) rung(s, x[n], w, y[n]);             \
    return LN_OK;                                                              \
  }
FORWARD(textbook)
FORWARD(float64)
FORWARD(reordered)
FORWARD(blocked)
FORWARD(vectors)

#define RUNG(rung, its_plan)                                                   \
  {                                                                            \
    .method = #rung, .plan = its_plan, .forward = rung##_forward,              \
    .per_sample = 1                                                            \
  }
static const ln_kernel kernels[] = {
  RUNG(vectors, vectors_plan),
  RUNG(blocked, blocked_plan),
  RUNG(reordered, NULL),
  RUNG(float64, NULL),
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "ladder",
  .brief = "a 3x3 convolution made fast in steps",
  .formula = "y[n,k,oy,ox] = sum over c,ky,kx of "
             "w[k,c,ky,kx] * x[n,c,oy+ky,ox+kx]",
  .example = "nn.ladder{ out_channels = 8 }"
             ":forward(lunet.randn{ 1, 8, 34, 34 })",
  .inputs = "x(N,in_channels,H,W)",
  .outputs = "y(N,out_channels,OH,OW)",
  LN_OPTIONS(ladder, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .params = params,
  .infer = infer,
  .forward = textbook_forward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("ladder", "1.0", &layer);
