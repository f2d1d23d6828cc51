/* deep_weights.c - dw where weights are many and the outputs of an image few,
 * as in the deep layers of a network: a matrix product over the pixels of
 * several images.
 *
 *   dw (K, C*KH*KW) = sum over images of dy (K, OH*OW) columns^T
 *
 * with the columns of im2col.c. An image alone has too few pixels to be worth
 * fetching all weights for; so the columns and the dy of some images lie side
 * by side. A task has some channels and filters for itself and walks through
 * all images, so each weight is one sum in a fixed order. */
#include "conv2d.h"

#include <string.h>

enum {
  MOST_OUTPUTS = 256,    /* of an image, for a layer to count as deep ... */
  LEAST_BYTES = 1 << 20, /* and of its weights */
  ROWS = 288,            /* of columns, of a task: about so many */
  FILTERS = 256,         /* of a task */
  DEPTH = 512            /* pixels side by side, about */
};

typedef struct job {
  const sizes *s;
  const ln_call *call;
  int64_t pixels, taps;     /* OH*OW, KH*KW */
  int64_t channels, images; /* of a task; side by side */
  int64_t channel_parts, filter_parts;
} job;

static job job_of(const sizes *s) {
  job j = { .s = s, .pixels = s->OH * s->OW, .taps = s->KH * s->KW };
  j.channels = smaller(larger(ROWS / j.taps, 1), s->CG);
  j.images = larger(DEPTH / larger(j.pixels, 1), 1);
  j.channel_parts = divide_up(s->CG, j.channels);
  j.filter_parts = divide_up(s->KG, FILTERS);
  return j;
}

bool conv2d_is_deep(const sizes *s) {
  return s->OH * s->OW <= MOST_OUTPUTS && s->KH * s->KW <= ROWS &&
         s->K * s->CG * s->KH * s->KW * (int64_t)sizeof(float) >= LEAST_BYTES;
}

/* ---- scratch: columns, dy ------------------------------------------------ */

static int64_t column_floats(const job *j) {
  return j->channels * j->taps * j->images * j->pixels;
}

int64_t conv2d_deep_scratch(const sizes *s) {
  const job j = job_of(s);
  return (column_floats(&j) + FILTERS * j.images * j.pixels) *
         (int64_t)sizeof(float);
}

/* ---- some channels, some filters ----------------------------------------- */

typedef struct part {
  int64_t g, c, channels, k, filters; /* c and k: the first, in the group */
} part;

static part part_of(const job *j, int64_t task) {
  const int64_t c = task % j->channel_parts * j->channels;
  task /= j->channel_parts;
  const int64_t k = task % j->filter_parts * FILTERS;
  return (part){ task / j->filter_parts, c, smaller(j->channels, j->s->CG - c),
                 k, smaller(FILTERS, j->s->KG - k) };
}

static void unfold(const job *j, const part *p, int64_t n, int64_t images,
                   float *columns) {
  const sizes *s = j->s;
  ln_patches patches = patches_of(s);
  patches.channels = p->channels;
  for (int64_t i = 0; i < images; i++)
    ln_unfold_beside(&patches,
                     ln_x(j->call, 0) +
                         ((n + i) * s->C + p->g * s->CG + p->c) * s->H * s->W,
                     columns + i * j->pixels, images * j->pixels);
}

static void copy_dy(const job *j, const part *p, int64_t n, int64_t images,
                    float *to) {
  const int64_t first = p->g * j->s->KG + p->k;
  for (int64_t k = 0; k < p->filters; k++)
    for (int64_t i = 0; i < images; i++, to += j->pixels)
      memcpy(to,
             ln_dy(j->call, 0) + ((n + i) * j->s->K + first + k) * j->pixels,
             (size_t)j->pixels * sizeof *to);
}

static void compute_task(const job *j, int64_t task, float *columns) {
  const sizes *s = j->s;
  const part p = part_of(j, task);
  const int64_t row = s->CG * j->taps;
  float *dy = columns + column_floats(j);
  float *dw = ln_dw(j->call, 0) + (p.g * s->KG + p.k) * row + p.c * j->taps;
  int64_t n = 0;
  do { /* once for a batch of none: then dw is 0 */
    const int64_t images = smaller(j->images, s->N - n);
    const int64_t depth = images * j->pixels;
    unfold(j, &p, n, images, columns);
    copy_dy(j, &p, n, images, dy);
    j->call->host->matmul(j->call, 0, 1, p.filters, p.channels * j->taps, depth,
                          dy, depth, columns, depth, n > 0, dw, row);
    n += images;
  } while (n < s->N);
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

ln_status conv2d_deep_backward_weights(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = job_of(&s);
  j.call = call;
  const ln_status status =
      ln_dw(call, 0)
          ? call->host->parallel_for(call,
                                     s.G * j.filter_parts * j.channel_parts, 1,
                                     compute_tasks, &j)
          : LN_OK;
  return status ? status : conv2d_bias_gradient(&s, call);
}
