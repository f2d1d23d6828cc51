/* softmax.c - turn scores into shares that are positive and add up to 1.
 *
 * Forward   y[k]  = exp(x[k] - m) / sum over j of exp(x[j] - m), m = max of x
 * Backward  dx[k] = y[k] * (dy[k] - sum over j of y[j] * dy[j])
 * Shapes    y as x; k and j run along `dim`, by default the classes, and each
 *           line along dim is a softmax of its own
 * Source    Bridle, 1990. Taking m off changes nothing (it cancels), but keeps
 *           exp from overflowing
 */
#include <math.h>

#include <lunet/plugin.h>

typedef struct softmax {
  int64_t dim;
} softmax;

static const ln_option options[] = {
  LN_INT(softmax, dim, 2, 1, LN_MAX_DIMS,
         "dim along which the shares add up to 1, counted from 1; 2 is the "
         "classes"),
};

static ln_status create(void *self, const ln_host *host) {
  if (((const softmax *)self)->dim == 1)
    return ln_fail(host, "dim = 1 is the batch: its items would have to share "
                         "one 1 among them; dims count from 1, so the classes "
                         "are dim = 2");
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const int64_t dim = ((const softmax *)self)->dim;
  if (dim > io->x[0].rank)
    return ln_fail(io->host,
                   "dim = %" PRId64 ", but x has only %d dims (they "
                   "count from 1)",
                   dim, io->x[0].rank);
  io->flops = 4 * (double)ln_count(&io->x[0]);
  io->flops_backward = io->flops;
  return LN_OK;
}

/* The lines along dim: `length` elements each, `step` floats apart. Line i
 * begins at i / step * (length * step) + i % step. */
typedef struct lines {
  int64_t count, length, step;
} lines;

static lines lines_of(const softmax *o, const ln_shape *s) {
  lines l = { .count = 1, .length = s->dim[o->dim - 1], .step = 1 };
  for (int32_t d = 0; d < o->dim - 1; d++) l.count *= s->dim[d];
  for (int32_t d = (int32_t)o->dim; d < s->rank; d++) l.step *= s->dim[d];
  l.count *= l.length > 0 ? l.step : 0; /* no elements: no lines */
  return l;
}

static int64_t line_begin(const lines *l, int64_t i) {
  return i / l->step * l->length * l->step + i % l->step;
}

static void softmax_line(const lines *l, const float *x, float *y) {
  const int64_t end = l->length * l->step;
  float largest = -INFINITY;
  for (int64_t k = 0; k < end; k += l->step)
    if (x[k] > largest) largest = x[k];
  double sum = 0;
  for (int64_t k = 0; k < end; k += l->step) {
    y[k] = expf(x[k] - largest);
    sum += y[k];
  }
  const float scale = (float)(1 / sum);
  for (int64_t k = 0; k < end; k += l->step) y[k] *= scale;
}

static ln_status forward(const void *self, const ln_call *call) {
  const lines l = lines_of(self, &call->x[0]->shape);
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < l.count; i++)
    softmax_line(&l, x + line_begin(&l, i), y + line_begin(&l, i));
  return LN_OK;
}

static void gradient_line(const lines *l, const float *y, const float *dy,
                          float *dx) {
  const int64_t end = l->length * l->step;
  double mean = 0; /* of dy, weighted by the shares y */
  for (int64_t k = 0; k < end; k += l->step) mean += (double)y[k] * dy[k];
  for (int64_t k = 0; k < end; k += l->step)
    dx[k] = y[k] * (dy[k] - (float)mean);
}

static ln_status backward(const void *self, const ln_call *call) {
  const lines l = lines_of(self, &call->x[0]->shape);
  const float *y = ln_y(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < l.count; i++) {
    const int64_t begin = line_begin(&l, i);
    gradient_line(&l, y + begin, dy + begin, dx + begin);
  }
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "softmax",
  .brief = "turns scores into shares that are positive and add up to 1",
  .formula = "y[k] = exp(x[k]) / sum over j of exp(x[j])",
  .example = "nn.softmax{}:forward(lunet.tensor{ { 1, 2, 3 } })",
  LN_OPTIONS(softmax, options),
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_X,
  .create = create,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("softmax", "1.0", &layer);
