/* pointwise.c - method "1x1": filters of one pixel, stride 1, no padding.
 *
 * Then an image is a matrix as it lies, a row for each channel, and the
 * convolution is a product of matrices for each image and group:
 *
 *     y (K, H*W) = b + w (K, C) times x (C, H*W)
 *
 * The gradient of x is the same with w transposed and dy in the place of x. A
 * block of up to 14 rows by 2 vectors of pixels (6 without AVX-512) grows in
 * registers: it starts as the bias, meets all channels and is stored once. Only
 * w is copied, into the order in which the blocks read it.
 *
 * A tile is as many pixels as the core's cache holds. All rows pass over it;
 * with the last of them, each step sends for a pixel of the next tile, so that
 * the memory is at work while the core multiplies. */
#include "conv2d.h"

#include <lunet/kernels/tap_product.h>

enum {
  MOST_ROWS = LN_VECTOR_REGISTERS == 32 ? 14 : 6,
  PANEL = 2 * LN_VECTOR,
  TILE_FLOATS = 1 << 14, /* of pixels, but this many panels: */
  FEWEST_PANELS = 2,
  MOST_PANELS = 16,
  WANTED_UNITS = 8,
  CHUNKS = 16
};

/* Forward or the gradient of x. */
typedef struct job {
  int64_t G;
  int64_t rows, depth, pixels;
  int64_t blocks; /* of rows: [rows * b / blocks, rows * (b + 1) / blocks) */
  int64_t panels, tiles, parts; /* of pixels, of panels, of blocks */
  int64_t units;
  const float *in, *w, *start;
  float *out;
  ln_finish finish;
} job;

static job job_of(const sizes *s, int64_t rows, int64_t depth) {
  job j = { .G = s->G,
            .rows = rows,
            .depth = depth,
            .pixels = s->H * s->W,
            .blocks = divide_up(rows, MOST_ROWS) };
  const int64_t most = TILE_FLOATS / PANEL / depth;
  j.panels = larger(1, j.pixels / PANEL);
  j.tiles =
      divide_up(j.panels, smaller(larger(FEWEST_PANELS, most), MOST_PANELS));
  const int64_t tiles = larger(1, s->N * s->G * j.tiles);
  j.parts = smaller(j.blocks, divide_up(WANTED_UNITS, tiles));
  j.units = s->N * s->G * j.tiles * j.parts;
  return j;
}

/* ---- the block ----------------------------------------------------------- */

/* `rows` rows by `vectors` vectors of pixels; both are constants at the call,
 * so that the sums stay in registers. `first` counts through all groups. */
LN_INLINE void multiply(const int rows, const int vectors, const job *j,
                        int64_t first, const float *in, ptrdiff_t ahead,
                        float *out) {
  const float *w = j->w + first * j->depth;
  const float *start = j->start ? j->start + first : NULL;
  ln_vector sum[MOST_ROWS][2];
#pragma GCC unroll 14
  for (int r = 0; r < rows; r++)
    sum[r][0] = sum[r][1] = (ln_vector){ 0 } + (start ? start[r] : 0);
  for (int64_t c = 0; c < j->depth; c++, w += rows, in += j->pixels) {
    const ln_vector x0 = ln_load(in);
    const ln_vector x1 = vectors > 1 ? ln_load(in + LN_VECTOR) : x0;
    __builtin_prefetch(in + ahead);
    if (vectors > 1) __builtin_prefetch(in + ahead + LN_VECTOR);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
      sum[r][0] += w[r] * x0;
      if (vectors > 1) sum[r][1] += w[r] * x1;
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < rows; r++) {
    const ln_finisher finish = ln_finish_channel(&j->finish, first + r);
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      ln_store(out + r * j->pixels + v * LN_VECTOR,
               ln_finished(&finish, sum[r][v]));
  }
}

typedef void block_function(const job *j, int64_t first, const float *in,
                            ptrdiff_t ahead, float *out);
#define BLOCK(name, rows, vectors)                                             \
  __attribute__((noinline)) static void name(const job *j, int64_t first,      \
                                             const float *in, ptrdiff_t ahead, \
                                             float *out) {                     \
    multiply(rows, vectors, j, first, in, ahead, out);                         \
  }
#define BLOCKS(rows) BLOCK(narrow_##rows, rows, 1) BLOCK(wide_##rows, rows, 2)
#define NARROW(rows) narrow_##rows,
#define WIDE(rows)   wide_##rows,

#if LN_VECTOR_REGISTERS == 32
#define EACH_HEIGHT LN_TO_14_
#else
#define EACH_HEIGHT LN_TO_6_
#endif
EACH_HEIGHT(BLOCKS)
static block_function *const block_of[2][MOST_ROWS + 1] = {
  { NULL, EACH_HEIGHT(NARROW) }, { NULL, EACH_HEIGHT(WIDE) }
};

/* ---- units: image, group, tile, some of the blocks ----------------------- */

typedef struct unit {
  int64_t g, begin, end; /* group, pixels */
  int64_t block, last;   /* first block, one past the last */
  const float *in;       /* the image's first row */
  float *out;
} unit;

static unit unit_of(const job *j, int64_t i) {
  const int64_t part = i % j->parts, tile = i / j->parts % j->tiles;
  const int64_t image = i / j->parts / j->tiles; /* groups count as images */
  return (unit){
    .g = image % j->G,
    .begin = j->panels * tile / j->tiles * PANEL,
    .end = tile + 1 < j->tiles ? j->panels * (tile + 1) / j->tiles * PANEL
                               : j->pixels,
    .block = j->blocks * part / j->parts,
    .last = j->blocks * (part + 1) / j->parts,
    .in = j->in + image * j->depth * j->pixels,
    .out = j->out + image * j->rows * j->pixels,
  };
}

/* A row of blocks. The last overlaps the one before it, where the pixels do not
 * fill vectors: the same numbers are stored twice. */
static void compute_block(const job *j, const unit *u, int64_t block,
                          ptrdiff_t ahead) {
  const int64_t row = j->rows * block / j->blocks;
  const int64_t rows = j->rows * (block + 1) / j->blocks - row;
  for (int64_t p = u->begin, width; p < u->end; p += width) {
    const bool wide = u->end - p > LN_VECTOR && j->pixels >= PANEL;
    width = wide ? PANEL : LN_VECTOR;
    const int64_t at = smaller(p, j->pixels - width);
    block_of[wide][rows](j, u->g * j->rows + row, u->in + at, ahead,
                         u->out + row * j->pixels + at);
  }
}

static void compute_units(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const unit u = unit_of(j, i);
    const unit next = unit_of(j, smaller(i + 1, j->units - 1));
    const ptrdiff_t ahead = next.in + next.begin - (u.in + u.begin);
    for (int64_t b = u.block; b < u.last; b++)
      compute_block(j, &u, b, b + 1 < u.last ? 0 : ahead);
  }
}

static ln_status run(job *j, const ln_call *call) {
  return call->host->parallel_for(call, j->units, divide_up(j->units, CHUNKS),
                                  compute_units, j);
}

/* ---- weights, packed ----------------------------------------------------- */

/* For each group and block: step by step, the numbers of its rows. */
typedef struct packing {
  const job *j;
  const float *w;
  int64_t row, step; /* floats from one to the next in w */
  float *to;
} packing;

static void pack_blocks(void *arg, const ln_chunk *chunk) {
  const packing *p = arg;
  const job *j = p->j;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t g = i / j->blocks, block = i % j->blocks;
    const int64_t row = j->rows * block / j->blocks;
    const int64_t end = j->rows * (block + 1) / j->blocks;
    const float *w = p->w + g * j->rows * j->depth;
    float *to = p->to + (g * j->rows + row) * j->depth;
    for (int64_t c = 0; c < j->depth; c++)
      for (int64_t r = row; r < end; r++) *to++ = w[r * p->row + c * p->step];
  }
}

static ln_status pack(packing *p, const ln_call *call) {
  return call->host->parallel_for(call, p->j->G * p->j->blocks, 1, pack_blocks,
                                  p);
}

static ln_status pack_forward(const void *self, const ln_call *call,
                              void *out) {
  const sizes s = sizes_of(self, call);
  const job j = job_of(&s, s.KG, s.CG);
  packing p = { &j, ln_w(call, 0), s.CG, 1, out };
  return pack(&p, call);
}

static ln_status pack_gradient(const void *self, const ln_call *call,
                               void *out) {
  const sizes s = sizes_of(self, call);
  const job j = job_of(&s, s.CG, s.KG);
  packing p = { &j, ln_w(call, 0), 1, s.CG, out };
  return pack(&p, call);
}

/* ---- the method ---------------------------------------------------------- */

ln_status LN_FOR_ISA(pointwise_weights_plan)(const sizes *s, ln_infer *io);
ln_status LN_FOR_ISA(pointwise_backward_weights)(const sizes *s,
                                                 const ln_call *call);

ln_status LN_FOR_ISA(pointwise_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.KH != 1 || s.KW != 1 || s.H * s.W < LN_VECTOR) return LN_UNSUITED;
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.P[d] != 0) return LN_UNSUITED;
  const int64_t bytes = s.K * s.CG * (int64_t)sizeof(float);
  io->packed[0] = io->packed[1] = bytes;
  return LN_FOR_ISA(pointwise_weights_plan)(&s, io);
}

ln_status LN_FOR_ISA(pointwise_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = job_of(&s, s.KG, s.CG);
  j.w = call->host->packed(call, 0, pack_forward);
  if (!j.w) return not_packed(call);
  j.in = ln_x(call, 0), j.start = ln_w(call, 1), j.out = ln_y(call, 0);
  j.finish = ln_finish_of(call, s.K);
  return run(&j, call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  job j = job_of(s, s->CG, s->KG);
  j.w = call->host->packed(call, 1, pack_gradient);
  if (!j.w) return not_packed(call);
  j.in = ln_dy(call, 0), j.out = ln_dx(call, 0);
  return run(&j, call);
}

ln_status LN_FOR_ISA(pointwise_backward)(const void *self,
                                         const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = LN_OK;
  if (ln_dx(call, 0)) status = data_gradient(&s, call);
  if (!status && ln_dw(call, 0))
    status = LN_FOR_ISA(pointwise_backward_weights)(&s, call);
  return status ? status : conv2d_bias_gradient(&s, call);
}
