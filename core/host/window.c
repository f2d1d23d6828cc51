/* window.c - the arithmetic of sliding windows, once for all layers.
 *
 *   out = floor((in + before + after - dilation*(kernel-1) - 1) / stride) + 1
 *
 * the lecture's (P - k)/stride + 1 with P the padded size; ceil_mode rounds
 * up, but no window begins beyond the input and the padding before it. What is
 * said where it does not fit stands in window_text.c. */
#include "host/window.h"

/* ---- one axis ---- */

int64_t ln_window_extent(const ln_window_axis *a) {
  return a->dilation * (a->kernel - 1) + 1;
}

int64_t ln_window_padded(const ln_window_axis *a) {
  return a->in + a->before + a->after;
}

int64_t ln_window_output(const ln_window_axis *a, bool ceil_mode) {
  int64_t room = ln_window_padded(a) - ln_window_extent(a);
  if (room < 0) return 0;
  int64_t out = room / a->stride + 1;
  if (!ceil_mode || room % a->stride == 0) return out;
  return out * a->stride < a->in + a->before ? out + 1 : out;
}

int64_t ln_window_unread(const ln_window_axis *a, bool ceil_mode) {
  if (ln_window_extent(a) < a->stride) return 0;
  int64_t last = (ln_window_output(a, ceil_mode) - 1) * a->stride;
  int64_t read = last + ln_window_extent(a) - a->before;
  if (read < 0) read = 0;
  return read < a->in ? a->in - read : 0;
}

/* ---- all axes ---- */

bool ln_window_fits(const ln_window_view *v) {
  for (int i = 0; i < v->dims; i++)
    if (ln_window_output(&v->axis[i], v->ceil_mode) < 1 ||
        ln_window_unread(&v->axis[i], v->ceil_mode))
      return false;
  return true;
}

static const char *axis_name(int32_t dims, int32_t i) {
  static const char *const names[] = { "depth", "height", "width" };
  return dims == 1 ? "length" : names[LN_MAX_AXES - dims + i];
}

static const char *line_name(int32_t dims, int32_t i) {
  static const char *const names[] = { "plane", "row", "column" };
  return dims == 1 ? "element" : names[LN_MAX_AXES - dims + i];
}

static ln_window_axis read_axis(const ln_window *w, const ln_shape *x,
                                int32_t i) {
  return (ln_window_axis){
    .name = axis_name(w->dims, i),
    .line = line_name(w->dims, i),
    .in = x->dim[x->rank - w->dims + i],
    .kernel = w->kernel[i],
    .stride = w->stride[i],
    .dilation = w->dilation ? w->dilation[i] : 1,
    .before = w->pad_before ? w->pad_before[i] : 0,
    .after = w->pad_after    ? w->pad_after[i]
             : w->pad_before ? w->pad_before[i]
                             : 0,
  };
}

/* All numbers small enough that nothing overflows. */
static ln_status check_axis(const ln_infer *io, const ln_window_axis *a) {
  const int64_t limit = (int64_t)1 << 40;
  const int64_t all[] = { a->in,       a->kernel, a->stride,
                          a->dilation, a->before, a->after };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i] < 0 || all[i] > limit)
      return ln_fail(io->host,
                     "a %s of the window is %" PRId64 ", outside of 0 .. 2^40",
                     a->name, all[i]);
  if (a->kernel < 1 || a->stride < 1 || a->dilation < 1)
    return ln_fail(io->host, "kernel, stride and dilation must be at least 1");
  if (a->kernel > 1 && a->dilation > limit / (a->kernel - 1))
    return ln_fail(io->host,
                   "dilation %" PRId64 " times kernel %" PRId64 " is too large",
                   a->dilation, a->kernel);
  return LN_OK;
}

static ln_status read_view(const ln_infer *io, const ln_window *w,
                           ln_window_view *v) {
  const ln_shape *x = &io->x[0];
  if (w->dims < 1 || w->dims > LN_MAX_AXES || x->rank < w->dims ||
      io->y[0].rank < w->dims)
    return ln_fail(io->host, "a window of %d dims does not fit an input of %d",
                   w->dims, x->rank);
  *v = (ln_window_view){ .dims = w->dims, .ceil_mode = w->ceil_mode };
  for (int i = 0; i < v->dims; i++) {
    v->axis[i] = read_axis(w, x, i);
    if (check_axis(io, &v->axis[i])) return LN_FAILED;
  }
  return LN_OK;
}

/* ---- the service ---- */

/* So that a layer may count the elements of y, once it knows their shape. */
static ln_status check_count(const ln_infer *io) {
  const ln_shape *y = &io->y[0];
  int64_t count;
  for (int32_t d = 0; d < y->rank; d++)
    if (y->dim[d] < 0) return LN_OK; /* still open */
  return ln_shape_count(y, &count) ? ln_fail(io->host, "%s", ln_error())
                                   : LN_OK;
}

static void keep_axis(ln_inference *result, int i, const ln_window_axis *a) {
  result->window[i] = (ln_axis){ a->kernel, a->stride, a->before, a->dilation };
}

ln_status ln_window_service(ln_infer *io, const ln_window *w) {
  ln_inference *result = ((ln_inferring *)io)->result;
  ln_window_view v;
  if (read_view(io, w, &v)) return LN_FAILED;
  result->window_dims = v.dims;
  for (int i = 0; i < v.dims; i++) {
    int64_t out = ln_window_output(&v.axis[i], v.ceil_mode);
    if (out < 1) return ln_window_refuse_small(io, &v);
    io->y[0].dim[io->y[0].rank - v.dims + i] = out;
    keep_axis(result, i, &v.axis[i]);
  }
  if (check_count(io)) return LN_FAILED;
  return ln_window_fits(&v) ? LN_OK
                            : ln_window_report_unread(io, &v, w->strict);
}
