/* batch.c - method "batch": one vector is the same pixel of many images.
 *
 * Few channels fill no vector, and rows of an odd width fill the last of theirs
 * badly; images fill all lanes, whatever the sizes. The images of a batch are
 * turned, LN_VECTOR of them at a time, so that each pixel is a vector, an image
 * a lane. Then the loops are the textbook's, on vectors instead of numbers: 4
 * neighbouring pixels of up to 6 filters grow in registers.
 *
 * Stride 1 only. Then the gradient of x is the same sum with shifts of its own
 * (direct.h). */
#include "batch_rows.h"

/* Forward or the gradient of x. */
typedef struct job {
  axis y, x;
  int64_t N, G, C, K; /* C and K of a group, in and out */
  int64_t filters;    /* of one call of the kernel */
  int64_t rows;       /* of a band: what is turned back at once */
  turned turned;
  const float *in, *end, *w, *start; /* end: of what may be read */
  float *out;
  bool rectify;
} job;

static int64_t taps_of(const job *j) {
  return j->C * j->y.taps * j->x.taps;
}

static job job_of(int64_t N, int64_t G, int64_t C, int64_t K, axis y, axis x) {
  job j = { .y = y, .x = x, .N = N, .G = G, .C = C, .K = K };
  j.filters = filters_of_part(K);
  j.rows = turned_rows(K, &y, &x);
  const axis alone = rows_alone(&y);
  j.turned = turned_of(C, &alone, &x);
  return j;
}

static job forward_job(const sizes *s) {
  return job_of(s->N, s->G, s->CG, s->KG, forward_axis(s, 0),
                forward_axis(s, 1));
}

static job gradient_job(const sizes *s) {
  return job_of(s->N, s->G, s->KG, s->CG, gradient_axis(s, 0, 0),
                gradient_axis(s, 1, 0));
}

/* ---- scratch: offsets, turned images, outputs of a band ------------------ */

static int64_t offset_floats(const job *j) { /* of 64 bits each */
  return divide_up(2 * taps_of(j), LN_VECTOR) * LN_VECTOR;
}
static int64_t band_floats(const job *j) {
  return j->K * j->rows * j->x.size * LN_VECTOR;
}
static int64_t scratch_bytes(const job *j) {
  return (offset_floats(j) + turned_floats(&j->turned) + band_floats(j)) *
         (int64_t)sizeof(float);
}

/* ---- some rows ----------------------------------------------------------- */

typedef struct place {
  int64_t n, images, g; /* first image, how many; group */
  const int64_t *offset;
  const float *turned;
  float *band;
} place;

/* Rows [q, q + rows), all filters. */
static void compute_band(const job *j, const place *p, int64_t q,
                         int64_t rows) {
  const row_sums sums = {
    .y = &j->y,
    .columns = j->x.size,
    .row = j->turned.row,
    .tap_row = j->C * j->x.taps,
    .offset = p->offset,
    .K = j->K,
    .filters = j->filters,
    .w = j->w + p->g * j->K * taps_of(j),
    .start = j->start ? j->start + p->g * j->K : NULL,
    .to_filter = j->rows * j->x.size,
    .rectify = j->rectify,
  };
  sum_rows(&sums, q, rows, p->turned, p->band);
}

static void turn_band_back(const job *j, const place *p, int64_t q,
                           int64_t rows) {
  const int64_t image = j->G * j->K * j->y.size * j->x.size;
  for (int64_t k = 0; k < j->K; k++)
    ln_from_lanes(
        p->band + k * j->rows * j->x.size * LN_VECTOR, rows * j->x.size,
        j->out + p->n * image + ((p->g * j->K + k) * j->y.size + q) * j->x.size,
        image, p->images);
}

/* ---- tasks: some images, a group ----------------------------------------- */

static void compute_task(const job *j, int64_t task, float *scratch) {
  const int64_t first = task / j->G * LN_VECTOR;
  int64_t *offset = (int64_t *)scratch;
  float *pixels = scratch + offset_floats(j);
  const place p = { .n = first,
                    .images = smaller(LN_VECTOR, j->N - first),
                    .g = task % j->G,
                    .offset = offset,
                    .turned = pixels,
                    .band = pixels + turned_floats(&j->turned) };
  list_row_offsets(&j->turned, &j->y, &j->x, offset);
  const int64_t group = j->C * j->y.in_size * j->x.in_size;
  turn(&j->turned, j->in + (p.n * j->G + p.g) * group, j->G * group, p.images,
       j->end, pixels);
  for (int64_t q = 0; q < j->y.size; q += j->rows) {
    const int64_t rows = smaller(j->rows, j->y.size - q);
    compute_band(j, &p, q, rows);
    turn_band_back(j, &p, q, rows);
  }
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

static ln_status run(job *j, const ln_call *call) {
  return call->host->parallel_for(call, divide_up(j->N, LN_VECTOR) * j->G, 1,
                                  compute_tasks, j);
}

/* ---- weights, packed ----------------------------------------------------- */

/* As the kernel reads them: for each group and part of its filters, tap by tap
 * in order of row, c, column, the filters side by side. Element (k, c) of a
 * group begins at w[k * filter + c * channel]. */
typedef struct packing {
  const float *w;
  int64_t group, filter, channel, KW;
} packing;

static float *pack_part(const job *j, const packing *p, int64_t g, int64_t k,
                        float *to) {
  const float *w = p->w + g * p->group + k * p->filter;
  const int64_t filters = smaller(j->filters, j->K - k);
  for (int64_t i = 0; i < j->y.taps; i++)
    for (int64_t c = 0; c < j->C; c++)
      for (int64_t m = 0; m < j->x.taps; m++)
        for (int64_t f = 0; f < filters; f++)
          *to++ = w[f * p->filter + c * p->channel + i * p->KW + m];
  return to;
}

static ln_status pack(const job *j, const packing *p, float *to) {
  for (int64_t g = 0; g < j->G; g++)
    for (int64_t k = 0; k < j->K; k += j->filters)
      to = pack_part(j, p, g, k, to);
  return LN_OK;
}

static ln_status pack_forward(const void *self, const ln_call *call,
                              void *out) {
  const sizes s = sizes_of(self, call);
  const job j = forward_job(&s);
  const int64_t taps = s.KH * s.KW, filter = s.CG * taps;
  const packing p = { ln_w(call, 0), s.KG * filter, filter, taps, s.KW };
  return pack(&j, &p, out);
}

static ln_status pack_gradient(const void *self, const ln_call *call,
                               void *out) {
  const sizes s = sizes_of(self, call);
  const job j = gradient_job(&s);
  const int64_t taps = s.KH * s.KW, filter = s.CG * taps;
  const packing p = { ln_w(call, 0), s.KG * filter, taps, filter, s.KW };
  return pack(&j, &p, out);
}

/* ---- the method ---------------------------------------------------------- */

/* Wherever it can be done. */
ln_status LN_FOR_ISA(batch_any_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] > 256 || s.KH > 256 || s.KW > 256)
      return LN_UNSUITED;
  if (s.W < LN_MOST_VECTORS || s.OW < LN_MOST_VECTORS) return LN_UNSUITED;
  const job forward = forward_job(&s), gradient = gradient_job(&s);
  io->scratch = larger(scratch_bytes(&forward), scratch_bytes(&gradient));
  io->packed[0] = io->packed[1] =
      s.K * s.CG * s.KH * s.KW * (int64_t)sizeof(float);
  LN_FOR_ISA(batch_weights_plan)(&s, io);
  return io->scratch < MOST_BYTES ? LN_OK : LN_UNSUITED;
}

/* Where it gains: all lanes have an image, and there are few channels. */
ln_status LN_FOR_ISA(batch_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.N < LN_VECTOR || s.CG > FEW_CHANNELS || s.KG > FEW_CHANNELS)
    return LN_UNSUITED;
  return LN_FOR_ISA(batch_any_plan)(self, io);
}

ln_status LN_FOR_ISA(batch_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = forward_job(&s);
  j.w = call->host->packed(call, 0, pack_forward);
  if (!j.w) return not_packed(call);
  j.in = ln_x(call, 0), j.end = j.in + call->x[0]->count;
  j.start = ln_w(call, 1);
  j.rectify = call->activation == LN_IS_RELU;
  j.out = ln_y(call, 0);
  return run(&j, call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  job j = gradient_job(s);
  j.w = call->host->packed(call, 1, pack_gradient);
  if (!j.w) return not_packed(call);
  j.in = ln_dy(call, 0), j.end = j.in + call->dy[0]->count;
  j.out = ln_dx(call, 0);
  return run(&j, call);
}

ln_status LN_FOR_ISA(batch_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = ln_dx(call, 0) ? data_gradient(&s, call) : LN_OK;
  if (!status && ln_dw(call, 0))
    status = LN_FOR_ISA(batch_backward_weights)(&s, call);
  return status ? status : conv2d_bias_gradient(&s, call);
}
