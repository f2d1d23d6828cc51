/* direct.c - method "direct": the textbook's sum, many outputs at a time.
 *
 * The textbook adds up one output after another; each step loads a pixel and a
 * weight for a single multiplication. Here a block of outputs grows in
 * registers: from 16 filters on (8 without AVX-512), the lanes of a vector are
 * filters, and up to 14 neighbouring pixels times 2 vectors take part in each
 * step; with fewer filters the lanes are pixels. So a load serves many
 * products. Any stride, dilation and number of groups will do; no product is
 * left out, so the numbers are the textbook's up to the order of the sums.
 *
 * What a task reads is first copied into planes with zeros around (direct.h),
 * which spares the kernels all questions about edges. */
#include "direct.h"

typedef struct job {
  axis y, x;
  int64_t N, G, C, K; /* C and K of a group, in and out */
  bool filter_lanes, rectify;
  int64_t rows, bands, parts, part_groups;
  planes planes;
  int64_t taps; /* of a group: C * y.taps * x.taps */
  const float *in, *w, *start;
  float *out;
} job;

static int64_t padded_filters(int64_t K) {
  return K >= LN_VECTOR ? divide_up(K, LN_VECTOR) * LN_VECTOR : K;
}

/* A part is what one call of a kernel makes: two vectors of filters, or a few
 * filters. */
static int64_t part_size(const job *j) {
  if (j->filter_lanes) return 2 * LN_VECTOR;
  return divide_up(j->K, divide_up(j->K, LN_MOST_FILTERS));
}

static job job_of(int64_t N, int64_t G, int64_t C, int64_t K, axis y, axis x) {
  job j = { .y = y, .x = x, .N = N, .G = G, .C = C, .K = K };
  j.filter_lanes = K >= LN_VECTOR;
  j.parts = divide_up(K, part_size(&j));
  j.rows = band_rows(C, &y, &x, N * G * j.parts);
  j.bands = divide_up(y.size, j.rows);
  j.part_groups =
      smaller(j.parts, divide_up(WANTED_TASKS, larger(N * G * j.bands, 1)));
  j.planes = planes_of(C, &y, &x, j.rows);
  j.taps = C * y.taps * x.taps;
  return j;
}

static job forward_job(const sizes *s) {
  return job_of(s->N, s->G, s->CG, s->KG, forward_axis(s, 0),
                forward_axis(s, 1));
}

static job gradient_job(const sizes *s, int64_t phase) {
  return job_of(s->N, s->G, s->KG, s->CG, gradient_axis(s, 0, phase / s->S[1]),
                gradient_axis(s, 1, phase % s->S[1]));
}

/* ---- scratch: offsets, planes, and what waits to be written -------------- */

static int64_t offset_floats(const job *j) {
  return divide_up(2 * j->taps, LN_VECTOR) * LN_VECTOR; /* of 64 bits each */
}

static int64_t waiting_floats(const job *j) {
  return j->filter_lanes ? 3 * j->rows * j->x.size * LN_VECTOR
                         : 2 * LN_MOST_FILTERS * LN_VECTOR;
}

static int64_t scratch_bytes(const job *j) {
  return (offset_floats(j) + j->C * j->planes.plane + waiting_floats(j)) *
         (int64_t)sizeof(float);
}

/* ---- writing ------------------------------------------------------------- */

/* The first number of out that belongs to row q of channel k. */
static float *out_row(const job *j, int64_t n, int64_t channel, int64_t q) {
  const int64_t row = q * j->y.out_step + j->y.phase;
  return j->out +
         ((n * j->G * j->K + channel) * j->y.out_size + row) * j->x.out_size +
         j->x.phase;
}

static void store_pixels(const job *j, const float *from, int64_t n,
                         float *to) {
  const int64_t step = j->x.out_step;
  if (step == 1)
    ln_copy_short(to, from, n);
  else
    for (int64_t i = 0; i < n; i++) to[i * step] = from[i];
}

/* `channels` of rows [q, end), from lanes; `room` for the same as planes. */
static void store_lanes(const job *j, int64_t n, int64_t channel,
                        int64_t channels, int64_t q, int64_t end,
                        const float *lanes, float *room) {
  const int64_t pixels = (end - q) * j->x.size;
  if (j->x.out_step == 1 && j->y.out_step == 1) {
    ln_from_lanes(lanes, pixels, out_row(j, n, channel, q),
                  j->y.out_size * j->x.out_size, channels);
    return;
  }
  ln_from_lanes(lanes, pixels, room, pixels, channels);
  for (int64_t c = 0; c < channels; c++)
    for (int64_t r = q; r < end; r++, room += j->x.size)
      store_pixels(j, room, j->x.size, out_row(j, n, channel + c, r));
}

/* ---- the two kinds of lanes ---------------------------------------------- */

typedef struct place {
  int64_t n, g, q, end; /* image, group, rows */
  const int64_t *offset;
  const float *planes;
  float *waiting;
} place;

static ln_vector start_lanes(const job *j, int64_t g, int64_t k) {
  if (!j->start || k >= j->K) return (ln_vector){ 0 };
  return ln_load_before(j->start + g * j->K + k, j->start + (g + 1) * j->K);
}

static void filters_in_lanes(const job *j, const place *p, int64_t k) {
  const int64_t pixels = (p->end - p->q) * j->x.size;
  const int64_t padded = padded_filters(j->K);
  const int vectors = j->K - k > LN_VECTOR ? 2 : 1;
  const ln_filter_lanes f = {
    .taps = j->taps,
    .offset = p->offset,
    .w = j->w + (p->g * padded + k) * j->taps,
    .w_part = j->taps * LN_VECTOR,
    .to_part = pixels * LN_VECTOR,
    .start = { start_lanes(j, p->g, k), start_lanes(j, p->g, k + LN_VECTOR) },
    .rectify = j->rectify,
  };
  for (int64_t r = 0; r < p->end - p->q; r++)
    ln_filter_lanes_row(&f, vectors, j->x.size, p->planes + r * j->planes.q_row,
                        p->waiting + r * j->x.size * LN_VECTOR);
  for (int v = 0; v < vectors; v++)
    store_lanes(j, p->n, p->g * j->K + k + v * LN_VECTOR,
                smaller(LN_VECTOR, j->K - k - v * LN_VECTOR), p->q, p->end,
                p->waiting + v * pixels * LN_VECTOR,
                p->waiting + 2 * pixels * LN_VECTOR);
}

/* Pairs of vectors lie side by side in wide rows; in narrow ones, the second is
 * the next row. */
static void pixels_in_lanes(const job *j, const place *p, int64_t k) {
  const int64_t filters = smaller(part_size(j), j->K - k), width = j->x.size;
  const bool wide = width > LN_VECTOR;
  const ln_pixel_lanes f = {
    .taps = j->taps,
    .offset = p->offset,
    .w = j->w + (p->g * j->K + k) * j->taps,
    .start = j->start ? j->start + p->g * j->K + k : NULL,
    .rectify = j->rectify,
  };
  for (int64_t q = p->q; q < p->end; q += wide ? 1 : 2)
    for (int64_t x = 0; x < width; x += 2 * LN_VECTOR) {
      const bool two = wide ? x + LN_VECTOR < width : q + 1 < p->end;
      const int64_t second = !two ? 0 : wide ? LN_VECTOR : j->planes.q_row;
      ln_pixel_lanes_pair(&f, filters,
                          p->planes + (q - p->q) * j->planes.q_row + x, second,
                          p->waiting);
      for (int64_t i = 0; i < filters; i++)
        for (int v = 0; v < (two ? 2 : 1); v++) {
          const int64_t at = wide ? x + v * LN_VECTOR : 0;
          store_pixels(j, p->waiting + (2 * i + v) * LN_VECTOR,
                       smaller(LN_VECTOR, width - at),
                       out_row(j, p->n, p->g * j->K + k + i, wide ? q : q + v) +
                           at * j->x.out_step);
        }
    }
}

/* ---- tasks --------------------------------------------------------------- */

/* Task: image, group, band of rows, some of the parts. */
static void compute_task(const job *j, int64_t task, void *scratch) {
  const int64_t some = task % j->part_groups;
  const int64_t band = task / j->part_groups % j->bands;
  const int64_t group = task / j->part_groups / j->bands;
  int64_t *offset = scratch;
  float *copies = (float *)scratch + offset_floats(j);
  const place p = { .n = group / j->G,
                    .g = group % j->G,
                    .q = band * j->rows,
                    .end = smaller((band + 1) * j->rows, j->y.size),
                    .offset = offset,
                    .planes = copies,
                    .waiting = copies + j->C * j->planes.plane };
  list_offsets(&j->planes, &j->y, &j->x, offset);
  load_planes(&j->planes, &j->y, &j->x,
              j->in + group * j->C * j->y.in_size * j->x.in_size, p.q, copies);
  for (int64_t i = j->parts * some / j->part_groups;
       i < j->parts * (some + 1) / j->part_groups; i++)
    if (j->filter_lanes)
      filters_in_lanes(j, &p, i * part_size(j));
    else
      pixels_in_lanes(j, &p, i * part_size(j));
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

static ln_status run(job *j, const ln_call *call) {
  return call->host->parallel_for(call, j->N * j->G * j->bands * j->part_groups,
                                  1, compute_tasks, j);
}

/* ---- weights, packed ----------------------------------------------------- */

/* w for one phase, as the kernels read it: for each group, and each part (or
 * vector) of its filters, tap by tap in order of c, row, column, the filters
 * side by side. Element (k, c) of a group begins at w[k * filter + c * channel]
 * and holds KH * KW taps. */
typedef struct packing {
  const job *j;
  const float *w;
  int64_t group, filter, channel, KW;
  float *to;
} packing;

static void pack_filters(const packing *p, int64_t g, int64_t k, int64_t lanes,
                         float *to) {
  const job *j = p->j;
  const float *w = p->w + g * p->group;
  for (int64_t c = 0; c < j->C; c++)
    for (int64_t i = 0; i < j->y.taps; i++)
      for (int64_t m = 0; m < j->x.taps; m++)
        for (int64_t v = 0; v < lanes; v++) {
          const int64_t tap = (j->y.first_tap + i * j->y.every) * p->KW +
                              j->x.first_tap + m * j->x.every;
          *to++ =
              k + v < j->K ? w[(k + v) * p->filter + c * p->channel + tap] : 0;
        }
}

static void pack_groups(void *arg, const ln_chunk *chunk) {
  const packing *p = arg;
  const job *j = p->j;
  const int64_t padded = padded_filters(j->K);
  const int64_t step = j->filter_lanes ? LN_VECTOR : part_size(j);
  const int64_t parts = divide_up(padded, step);
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t g = i / parts, k = i % parts * step;
    pack_filters(p, g, k, smaller(step, padded - k),
                 p->to + (g * padded + k) * j->taps);
  }
}

static ln_status pack(packing *p, const ln_call *call) {
  const job *j = p->j;
  const int64_t step = j->filter_lanes ? LN_VECTOR : part_size(j);
  return call->host->parallel_for(
      call, j->G * divide_up(padded_filters(j->K), step), 1, pack_groups, p);
}

/* The packed weights of a phase, all groups. */
static int64_t packed_floats(const job *j) {
  return j->G * padded_filters(j->K) * j->taps;
}

static ln_status pack_forward(const void *self, const ln_call *call,
                              void *out) {
  const sizes s = sizes_of(self, call);
  const job j = forward_job(&s);
  packing p = {
    &j, ln_w(call, 0), s.KG * j.taps, j.taps, s.KH * s.KW, s.KW, out
  };
  return pack(&p, call);
}

static ln_status pack_gradient(const void *self, const ln_call *call,
                               void *out) {
  const sizes s = sizes_of(self, call);
  const int64_t all = s.CG * s.KH * s.KW;
  packing p = { NULL, ln_w(call, 0), s.KG * all, s.KH * s.KW, all, s.KW, out };
  for (int64_t phase = 0; phase < s.S[0] * s.S[1]; phase++) {
    const job j = gradient_job(&s, phase);
    p.j = &j;
    const ln_status status = pack(&p, call);
    if (status) return status;
    p.to += packed_floats(&j);
  }
  return LN_OK;
}

/* ---- the method ---------------------------------------------------------- */

ln_status FOR_ISA(direct_weights_plan)(const sizes *s, ln_infer *io);
ln_status FOR_ISA(direct_backward_weights)(const sizes *s, const ln_call *call);

enum { MOST_BYTES = 256 << 20, MOST_PHASES = 64 };

ln_status FOR_ISA(direct_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.S[0] > MOST_PHASES || s.S[1] > MOST_PHASES || s.KH > 256 || s.KW > 256)
    return LN_UNSUITED;
  const job forward = forward_job(&s);
  io->scratch = scratch_bytes(&forward);
  io->packed[0] = packed_floats(&forward) * (int64_t)sizeof(float);
  for (int64_t phase = 0; phase < s.S[0] * s.S[1]; phase++) {
    const job j = gradient_job(&s, phase);
    io->scratch = larger(io->scratch, scratch_bytes(&j));
    io->packed[1] += packed_floats(&j) * (int64_t)sizeof(float);
  }
  const ln_status status = FOR_ISA(direct_weights_plan)(&s, io);
  return status || io->scratch < MOST_BYTES ? status : LN_UNSUITED;
}

static ln_status not_packed(const ln_call *call) {
  return call->host->cancelled(call->host) ? LN_CANCELLED : LN_FAILED;
}

ln_status FOR_ISA(direct_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = forward_job(&s);
  j.in = ln_x(call, 0);
  j.out = ln_y(call, 0);
  j.start = ln_w(call, 1);
  j.rectify = call->activation == LN_IS_RELU;
  j.w = call->host->packed(call, 0, pack_forward);
  return j.w ? run(&j, call) : not_packed(call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  const float *w = call->host->packed(call, 1, pack_gradient);
  if (!w) return not_packed(call);
  for (int64_t phase = 0; phase < s->S[0] * s->S[1]; phase++) {
    job j = gradient_job(s, phase);
    j.in = ln_dy(call, 0);
    j.out = ln_dx(call, 0);
    j.w = w;
    w += packed_floats(&j);
    const ln_status status = run(&j, call);
    if (status) return status;
  }
  return LN_OK;
}

ln_status FOR_ISA(direct_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = LN_OK;
  if (ln_dx(call, 0)) status = data_gradient(&s, call);
  if (!status && ln_dw(call, 0))
    status = FOR_ISA(direct_backward_weights)(&s, call);
  return status ? status : conv2d_bias_gradient(&s, call);
}
