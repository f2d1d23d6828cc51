/* pointwise_weights.c - method "1x1": the gradient of w,
 *
 *     dw (K, C) = dy (K, H*W) times x transposed, summed over the images.
 *
 * It is made as a product of rows and lanes: the lanes of some vectors are the
 * filters, the rows are the channels, and the sums run along the pixels. For
 * that, dy is turned, so that the filters of a pixel lie side by side; x is
 * read where it lies, one number at a time. The smaller of the two is turned:
 * with more filters than channels, they change their parts.
 *
 * The images fall into a few parts, each with sums of its own; how many, only
 * the shapes decide. */
#include "conv2d.h"

#include <lunet/kernels/lanes.h>
#include <lunet/kernels/tap_product.h>

#include <string.h>

enum {
  ROWS = 6, /* at once, by so many vectors of lanes: */
  VECTORS = LN_VECTOR_REGISTERS == 32 ? 4 : 2,
  LANES = VECTORS * LN_VECTOR,
  PIXELS = 512,       /* turned at once */
  WORTH_A_PART = 256, /* rows, for which lanes are turned */
  WANTED_TASKS = 4
};

typedef struct job {
  int64_t N, G, rows, columns, pixels;
  int64_t width; /* columns rounded up to whole vectors */
  int64_t image_parts, row_parts;
  bool filters_in_lanes;
  const float *down, *across; /* x and dy, or the reverse */
  const float *across_end;
  float *sums, *dw;
} job;

static job job_of(const sizes *s) {
  const int64_t C = s->CG, K = s->KG;
  job j = { .N = s->N, .G = s->G, .pixels = s->H * s->W };
  j.filters_in_lanes = C < LN_VECTOR || (K >= LN_VECTOR && K <= C);
  j.rows = j.filters_in_lanes ? C : K;
  j.columns = j.filters_in_lanes ? K : C;
  j.width = divide_up(j.columns, LN_VECTOR) * LN_VECTOR;
  j.row_parts = larger(1, j.rows / WORTH_A_PART);
  j.image_parts =
      larger(1, smaller(j.N, divide_up(WANTED_TASKS, j.row_parts * j.G)));
  return j;
}

/* Sums of a part of the images: [group][row][width]. */
static int64_t part_floats(const job *j) {
  return j->G * j->rows * j->width;
}

/* ---- the block ----------------------------------------------------------- */

/* Adds some pixels to `rows` rows by `vectors` vectors of sums; both are
 * constants at the call, so that the sums stay in registers. At each line of
 * the cache, that of the next rows is sent for. */
LN_INLINE void add_pixels(const int rows, const int vectors, const job *j,
                          int64_t pixels, const float *x, const float *turned,
                          float *sums) {
  enum { LINE = 16 };
  ln_vector sum[ROWS][VECTORS];
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      sum[r][v] = ln_load(sums + r * j->width + v * LN_VECTOR);
  for (int64_t line = 0; line < pixels; line += LINE) {
    for (int r = 0; r < rows; r++)
      __builtin_prefetch(x + line + (rows + r) * j->pixels);
    for (int64_t p = line; p < smaller(line + LINE, pixels); p++)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) {
        const ln_vector lanes = ln_load(turned + p * LANES + v * LN_VECTOR);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
          sum[r][v] += x[r * j->pixels + p] * lanes;
      }
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      ln_store(sums + r * j->width + v * LN_VECTOR, sum[r][v]);
}

typedef void block_function(const job *j, int64_t pixels, const float *x,
                            const float *turned, float *sums);
#define BLOCK(rows, vectors)                                                   \
  __attribute__((noinline)) static void block_##rows##_##vectors(              \
      const job *j, int64_t pixels, const float *x, const float *turned,       \
      float *sums) {                                                           \
    add_pixels(rows, vectors, j, pixels, x, turned, sums);                     \
  }
#if LN_VECTOR_REGISTERS == 32
#define BLOCKS(rows) BLOCK(rows, 1) BLOCK(rows, 2) BLOCK(rows, 3) BLOCK(rows, 4)
#define LIST(rows)                                                             \
  { NULL, block_##rows##_1, block_##rows##_2, block_##rows##_3,                \
    block_##rows##_4 },
#else
#define BLOCKS(rows) BLOCK(rows, 1) BLOCK(rows, 2)
#define LIST(rows)   { NULL, block_##rows##_1, block_##rows##_2 },
#endif
LN_TO_6_(BLOCKS)
static block_function *const block_of[ROWS + 1][VECTORS + 1] = {
  { NULL }, LN_TO_6_(LIST)
};

/* ---- tasks: some images, a group, some rows ------------------------------ */

/* Columns [column, column + lanes) of some pixels, side by side. */
static void turn(const job *j, int64_t column, int64_t lanes, int64_t pixels,
                 const float *across, float *turned) {
  for (int64_t k = 0; k < lanes; k += LN_VECTOR)
    ln_to_lane_rows(across + (column + k) * j->pixels, j->pixels,
                    smaller(LN_VECTOR, lanes - k), pixels, j->across_end,
                    turned + k, LANES);
}

static void add_rows(const job *j, int64_t begin, int64_t end, int vectors,
                     int64_t pixels, const float *x, const float *turned,
                     float *sums) {
  for (int64_t r = begin; r < end; r += ROWS)
    block_of[smaller(ROWS, end - r)][vectors](j, pixels, x + r * j->pixels,
                                              turned, sums + r * j->width);
}

/* Adds an image to rows [begin, end) of the sums. */
static void add_image(const job *j, int64_t image, int64_t begin, int64_t end,
                      float *turned, float *sums) {
  const float *x = j->down + image * j->rows * j->pixels;
  const float *across = j->across + image * j->columns * j->pixels;
  const int64_t pieces = divide_up(j->pixels, PIXELS);
  for (int64_t i = 0; i < pieces; i++) {
    const int64_t p = j->pixels * i / pieces;
    const int64_t pixels = j->pixels * (i + 1) / pieces - p;
    for (int64_t k = 0; k < j->columns; k += LANES) {
      const int64_t lanes = smaller(LANES, j->columns - k);
      turn(j, k, lanes, pixels, across + p, turned);
      add_rows(j, begin, end, (int)divide_up(lanes, LN_VECTOR), pixels, x + p,
               turned, sums + k);
    }
  }
}

static void compute_task(const job *j, int64_t task, float *turned) {
  const int64_t row_part = task % j->row_parts;
  const int64_t g = task / j->row_parts % j->G;
  const int64_t part = task / j->row_parts / j->G;
  const int64_t begin = j->rows * row_part / j->row_parts;
  const int64_t end = j->rows * (row_part + 1) / j->row_parts;
  float *sums = j->sums + part * part_floats(j) + g * j->rows * j->width;
  memset(sums + begin * j->width, 0,
         (size_t)((end - begin) * j->width) * sizeof *sums);
  for (int64_t n = j->N * part / j->image_parts;
       n < j->N * (part + 1) / j->image_parts; n++)
    add_image(j, n * j->G + g, begin, end, turned, sums);
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

/* ---- dw from the sums ---------------------------------------------------- */

/* A square of sums at (row, column), the parts added in order. Rows beyond the
 * last repeat it. */
static void load_square(const job *j, int64_t g, int64_t row, int64_t column,
                        float *square) {
  for (int64_t r = 0; r < LN_VECTOR; r++) {
    const int64_t at = g * j->rows + smaller(row + r, j->rows - 1);
    const float *sums = j->sums + at * j->width + column;
    ln_vector sum = ln_load(sums);
    for (int64_t part = 1; part < j->image_parts; part++)
      sum += ln_load(sums + part * part_floats(j));
    ln_store(square + r * LN_VECTOR, sum);
  }
}

/* LN_VECTOR filters of a group, from k on: square by square. */
static void store_filters(const job *j, int64_t g, int64_t k) {
  enum { SQUARE = LN_VECTOR * LN_VECTOR };
  const int64_t K = j->filters_in_lanes ? j->columns : j->rows;
  const int64_t C = j->filters_in_lanes ? j->rows : j->columns;
  float square[SQUARE], turned[SQUARE];
  for (int64_t c = 0; c < C; c += LN_VECTOR) {
    if (j->filters_in_lanes) {
      load_square(j, g, c, k, turned);
      ln_to_lanes(turned, LN_VECTOR, LN_VECTOR, LN_VECTOR, turned + SQUARE,
                  square);
    } else {
      load_square(j, g, k, c, square);
    }
    float *dw = j->dw + (g * K + k) * C + c;
    for (int64_t i = 0; i < smaller(LN_VECTOR, K - k); i++)
      ln_store_first(dw + i * C, ln_load(square + i * LN_VECTOR), C - c);
  }
}

/* Pieces of LN_VECTOR filters. */
static int64_t filter_pieces(const job *j) {
  return divide_up(j->filters_in_lanes ? j->columns : j->rows, LN_VECTOR);
}

static void store_some(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const int64_t pieces = filter_pieces(j);
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    store_filters(j, i / pieces, i % pieces * LN_VECTOR);
}

ln_status LN_FOR_ISA(pointwise_weights_plan)(const sizes *s, ln_infer *io) {
  const job j = job_of(s);
  io->workspace = j.image_parts * part_floats(&j) * (int64_t)sizeof(float);
  io->scratch = (PIXELS + LN_VECTOR) * LANES * (int64_t)sizeof(float);
  return LN_OK;
}

ln_status LN_FOR_ISA(pointwise_backward_weights)(const sizes *s,
                                                 const ln_call *call) {
  job j = job_of(s);
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  j.down = j.filters_in_lanes ? x : dy;
  j.across = j.filters_in_lanes ? dy : x;
  j.across_end = j.across + j.N * j.G * j.columns * j.pixels;
  j.sums = call->workspace;
  j.dw = ln_dw(call, 0);
  const ln_status status = call->host->parallel_for(
      call, j.image_parts * j.G * j.row_parts, 1, compute_tasks, &j);
  if (status) return status;
  const int64_t pieces = j.G * filter_pieces(&j);
  return call->host->parallel_for(call, pieces, divide_up(pieces, WANTED_TASKS),
                                  store_some, &j);
}
