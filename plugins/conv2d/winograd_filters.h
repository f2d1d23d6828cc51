/* winograd_filters.h - U, the filters as Winograd's method multiplies them:
 * for each panel and frequency, a row of PANEL filters for each channel.
 *
 * U comes from w as it is or, where w does not change between calls, from w
 * laid out so that no number has to move across lanes any more. */
#ifndef WINOGRAD_FILTERS_H
#define WINOGRAD_FILTERS_H

#include "winograd.h"

enum { PANEL = 2 * LN_VECTOR }; /* filters side by side */

static inline int64_t U_frequency_of(int64_t C) {
  return C * PANEL + LN_VECTOR;
}

static inline int64_t U_bytes(int64_t C, int64_t K) {
  return divide_up(K, PANEL) * FREQUENCIES * U_frequency_of(C) *
         (int64_t)sizeof(float);
}

/* Filters w (K,C,R,R). For dx the channels are the filters. */
typedef struct packing {
  const float *w, *end;
  int64_t C, K, R;
  int64_t channel, filter; /* floats from one to the next in w */
  bool turned;
  const float *lanes; /* or w as pack_lanes has left it */
} packing;

static inline int64_t lanes_of_panel(const packing *p) {
  return p->C * p->R * p->R * PANEL;
}

static inline int64_t lanes_bytes(const packing *p) {
  return divide_up(p->K, PANEL) * lanes_of_panel(p) * (int64_t)sizeof(float);
}

/* R * R taps of LN_VECTOR filters side by side, in a room for all squares that
 * this takes. */
enum { TAPS_ROOM = 2 * 16 * 16 };

LN_INLINE void load_taps(const int R, const packing *p, int64_t k, int64_t c,
                         float *room) {
  ln_to_lanes(p->w + c * p->channel + k * p->filter, p->filter,
              smaller(p->K - k, LN_VECTOR), R * R, p->end, room);
}

/* U of one channel and LN_VECTOR filters, from lane v of the panel on. Where
 * they have been laid out, it sends for those that come `ahead` floats later;
 * into the core's second cache, which was 2 % faster than into the first. */
LN_INLINE void pack_vector(const int R, const packing *p, int64_t panel,
                           int64_t c, int64_t v, int64_t ahead,
                           int64_t U_frequency, float *to) {
  float room[TAPS_ROOM];
  const float *taps = room;
  ptrdiff_t tap = LN_VECTOR;
  if (p->lanes) {
    taps = p->lanes + panel * lanes_of_panel(p) + c * R * R * PANEL + v;
    tap = PANEL;
    for (int i = 0; i < R * R; i++)
      __builtin_prefetch(taps + ahead + i * tap, 0, 2);
  } else {
    load_taps(R, p, panel * PANEL + v, c, room);
  }
  ln_vector w[25];
#pragma GCC unroll 25
  for (int i = 0; i < R * R; i++)
    w[i] = ln_load(taps + (p->turned ? R * R - 1 - i : i) * tap);
  transform_filter_tile(R, w, to, U_frequency);
}

/* From channel c of a panel to `channels` further ones, as they lie where they
 * have been laid out; 0 where these are the last. */
static inline int64_t floats_ahead(const packing *p, int64_t panel, int64_t c,
                                   int64_t channels) {
  const int64_t channel = p->R * p->R * PANEL, some = channels * channel;
  const int64_t all = divide_up(p->K, PANEL) * lanes_of_panel(p);
  const int64_t begin = panel * lanes_of_panel(p) + c * channel;
  return begin + 2 * some <= all ? some : 0;
}

static inline int64_t width_of_panel(int64_t K, int64_t panel) {
  return K - panel * PANEL > LN_VECTOR ? PANEL : LN_VECTOR;
}

/* Channels [begin, end) of a panel; what lies beyond the last filter is 0. */
static inline void pack_channels(const packing *p, int64_t panel, int64_t begin,
                                 int64_t end, int64_t U_frequency, float *to) {
  const int64_t width = width_of_panel(p->K, panel);
  const int64_t ahead = floats_ahead(p, panel, begin, end - begin);
  for (int64_t c = begin; c < end; c++, to += width)
    for (int64_t v = 0; v < width; v += LN_VECTOR)
      if (p->R == 3)
        pack_vector(3, p, panel, c, v, ahead, U_frequency, to + v);
      else
        pack_vector(5, p, panel, c, v, ahead, U_frequency, to + v);
}

typedef struct packing_job {
  const packing *p;
  float *to;
} packing_job;

static inline void pack_panels(void *arg, const ln_chunk *chunk) {
  const packing_job *j = arg;
  const int64_t U_frequency = U_frequency_of(j->p->C);
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    pack_channels(j->p, i, 0, j->p->C, U_frequency,
                  j->to + i * FREQUENCIES * U_frequency);
}

static inline ln_status pack(const packing *p, const ln_call *call, float *U) {
  packing_job j = { p, U };
  return call->host->parallel_for(call, divide_up(p->K, PANEL), 1, pack_panels,
                                  &j);
}

/* Panel by panel and channel by channel, R * R rows of PANEL filters. */
static inline void lay_out_panels(void *arg, const ln_chunk *chunk) {
  const packing_job *j = arg;
  const packing *p = j->p;
  float room[TAPS_ROOM];
  float *to = j->to + chunk->begin * lanes_of_panel(p);
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    for (int64_t c = 0; c < p->C; c++, to += p->R * p->R * PANEL)
      for (int64_t v = 0; v < width_of_panel(p->K, i); v += LN_VECTOR) {
        load_taps((int)p->R, p, i * PANEL + v, c, room);
        for (int64_t tap = 0; tap < p->R * p->R; tap++)
          ln_store(to + tap * PANEL + v, ln_load(room + tap * LN_VECTOR));
      }
}

static inline packing forward_filters(const sizes *s, const ln_call *call) {
  const int64_t taps = s->KH * s->KW;
  packing p = {
    .C = s->C, .K = s->K, .R = s->KH, .channel = taps, .filter = s->C * taps
  };
  if (call) p.w = ln_w(call, 0), p.end = p.w + s->K * s->C * taps;
  return p;
}

static inline packing data_filters(const sizes *s, const ln_call *call) {
  const float *w = ln_w(call, 0);
  const int64_t taps = s->KH * s->KW;
  return (packing){ .w = w,
                    .end = w + s->K * s->C * taps,
                    .C = s->K,
                    .K = s->C,
                    .R = s->KH,
                    .channel = s->C * taps,
                    .filter = taps,
                    .turned = true };
}

/* For host->packed, which keeps it: U, or w laid out for U to be made. */
enum { KEPT_U, KEPT_LANES };

static inline ln_status pack_forward(const void *self, const ln_call *call,
                                     void *out) {
  const sizes s = sizes_of(self, call);
  const packing p = forward_filters(&s, call);
  return pack(&p, call, out);
}

static inline ln_status pack_lanes(const void *self, const ln_call *call,
                                   void *out) {
  const sizes s = sizes_of(self, call);
  const packing p = forward_filters(&s, call);
  packing_job j = { &p, out };
  return call->host->parallel_for(call, divide_up(p.K, PANEL), 1,
                                  lay_out_panels, &j);
}

#endif
