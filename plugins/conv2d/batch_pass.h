/* batch_pass.h - a pass of the methods whose lanes are images: what is summed
 * up into what, and where the images of a task lie. */
#ifndef BATCH_PASS_H
#define BATCH_PASS_H

#include "batch.h"

/* Of scratch, at most; and up to how many channels and filters of a group it is
 * images that fill vectors best. */
enum { MOST_BYTES = 64 << 20, FEW_CHANNELS = 16 };

/* Forward or the gradient of x. A task has LN_VECTOR images, of one group. */
typedef struct pass {
  axis y, x;
  int64_t N, G, C, K;                /* C and K of a group, in and out */
  const float *in, *end, *w, *start; /* end: of what may be read; w: packed */
  float *out;
  ln_finish finish;
} pass;

/* While a method is planned there is no call. */
static inline pass forward_pass(const sizes *s, const ln_call *call,
                                const float *w) {
  pass p = { .y = forward_axis(s, 0),
             .x = forward_axis(s, 1),
             .N = s->N,
             .G = s->G,
             .C = s->CG,
             .K = s->KG,
             .w = w };
  if (!call) return p;
  p.in = ln_x(call, 0), p.end = p.in + call->x[0]->count;
  p.start = ln_w(call, 1);
  p.finish = ln_finish_of(call, s->K);
  p.out = ln_y(call, 0);
  return p;
}

static inline pass gradient_pass(const sizes *s, const ln_call *call,
                                 const float *w) {
  pass p = { .y = gradient_axis(s, 0, 0),
             .x = gradient_axis(s, 1, 0),
             .N = s->N,
             .G = s->G,
             .C = s->KG,
             .K = s->CG,
             .w = w };
  if (!call) return p;
  p.in = ln_dy(call, 0), p.end = p.in + call->dy[0]->count;
  p.out = ln_dx(call, 0);
  return p;
}

static inline int64_t tasks_of(const pass *p) {
  return divide_up(p->N, LN_VECTOR) * p->G;
}

/* Up to LN_VECTOR images: of the first of them, where the channels of a group
 * lie and, in floats from the start of the tensor, its filters' outputs; and
 * how far it is to the next. */
typedef struct images {
  int64_t count, g;
  const float *in;
  int64_t in_next, out, out_next;
} images;

static inline images images_at(const pass *p, int64_t n, int64_t g) {
  const int64_t in = p->C * p->y.in_size * p->x.in_size;
  const int64_t out = p->K * p->y.size * p->x.size;
  return (images){ .count = smaller(LN_VECTOR, p->N - n),
                   .g = g,
                   .in = p->in + (n * p->G + g) * in,
                   .in_next = p->G * in,
                   .out = (n * p->G + g) * out,
                   .out_next = p->G * out };
}

static inline images images_of_task(const pass *p, int64_t task) {
  return images_at(p, task / p->G * LN_VECTOR, task % p->G);
}

/* Of row q of the group's filter k, in floats from the start of the tensor. */
static inline int64_t row_of_outputs(const pass *p, const images *i, int64_t k,
                                     int64_t q) {
  return i->out + (k * p->y.size + q) * p->x.size;
}

static inline void turn_rows_back(const pass *p, const images *i, int64_t k,
                                  int64_t q, int64_t rows, const float *from) {
  ln_from_lanes(from, rows * p->x.size, p->out + row_of_outputs(p, i, k, q),
                i->out_next, i->count);
}

/* ---- filters as w has them ----------------------------------------------- */

/* Element (k, c) of a group begins at w[k * filter + c * channel]. */
typedef struct filters_in_w {
  const float *w;
  int64_t group, filter, channel;
} filters_in_w;

static inline filters_in_w forward_filters(const sizes *s,
                                           const ln_call *call) {
  const int64_t taps = s->KH * s->KW, filter = s->CG * taps;
  return (filters_in_w){ ln_w(call, 0), s->KG * filter, filter, taps };
}

static inline filters_in_w gradient_filters(const sizes *s,
                                            const ln_call *call) {
  const int64_t taps = s->KH * s->KW, filter = s->CG * taps;
  return (filters_in_w){ ln_w(call, 0), s->KG * filter, taps, filter };
}

/* ---- the gradient of w --------------------------------------------------- */

/* A task has some filters for itself and walks through all images, so each
 * weight is one sum in a fixed order. */
typedef struct weights_pass {
  pass x;                 /* forward's: what meets dy */
  int64_t filters, parts; /* of a task; of a group */
  int64_t taps, room;     /* room for whole vectors of taps, and what the
                             kernel wastes */
  const float *dy, *dy_end;
  float *dw;
} weights_pass;

/* `columns`: taps of a filter's row. */
static inline weights_pass weights_pass_of(const sizes *s, const ln_call *call,
                                           int64_t columns) {
  weights_pass p = { .x = forward_pass(s, NULL, NULL) };
  p.filters = divide_up(s->KG, divide_up(s->KG, LN_MOST_FILTERS));
  p.parts = divide_up(s->KG, p.filters);
  p.taps = s->CG * s->KH * columns;
  p.room = divide_up(p.taps + LN_SPARE_TAPS, LN_VECTOR) * LN_VECTOR;
  if (!call) return p;
  p.x.in = ln_x(call, 0), p.x.end = p.x.in + call->x[0]->count;
  p.dy = ln_dy(call, 0), p.dy_end = p.dy + call->dy[0]->count;
  p.dw = ln_dw(call, 0);
  return p;
}

typedef struct part {
  int64_t g, k, filters; /* group, first filter in it, how many */
} part;

static inline part part_of_task(const weights_pass *p, int64_t task) {
  const int64_t k = task % p->parts * p->filters;
  return (part){ task / p->parts, k, smaller(p->filters, p->x.K - k) };
}

/* The weights of the part's filter k. */
static inline float *weights_of(const weights_pass *p, const part *some,
                                int64_t k) {
  const int64_t filter = p->x.C * p->x.y.taps * p->x.x.taps;
  return p->dw + (some->g * p->x.K + some->k + k) * filter;
}

/* For the kernel; taps that it wastes look at the first. */
static inline void list_weights_offsets(const weights_pass *p, const turned *t,
                                        const axis *columns, int64_t *offset) {
  list_turned_offsets(t, &p->x.y, columns, offset);
  for (int64_t i = p->taps; i < p->room; i++) offset[i] = 0;
}

#endif
