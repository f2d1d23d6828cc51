/* window.c - the arithmetic of sliding windows, once for all layers.
 *
 *   out = floor((in + before + after - dilation*(kernel-1) - 1) / stride) + 1
 *
 * the lecture's (P - k)/stride + 1 with P the padded size; ceil_mode rounds
 * up, but no window begins beyond the input and the padding before it. */
#include <stdio.h>
#include <string.h>

#include "host/infer.h"

typedef struct axis {
  const char *name; /* "height" */
  int64_t in, kernel, stride, dilation, before, after;
} axis;

static const char *axis_name(int32_t dims, int32_t i) {
  static const char *const two[] = { "height", "width" };
  static const char *const three[] = { "depth", "height", "width" };
  return dims == 1 ? "length" : dims == 2 ? two[i] : three[i];
}

static int64_t extent(const axis *a) {
  return a->dilation * (a->kernel - 1) + 1;
}

static int64_t padded(const axis *a) {
  return a->in + a->before + a->after;
}

static axis read_axis(const ln_window *w, const ln_shape *x, int32_t i) {
  return (axis){
    .name = axis_name(w->dims, i),
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

/* All numbers small enough that nothing below overflows. */
static ln_status check_axis(const ln_infer *io, const axis *a) {
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

static void side_by_side(const ln_window *w, const ln_shape *x,
                         int64_t (*f)(const axis *), char *out, size_t room) {
  size_t used = 0;
  for (int32_t i = 0; i < w->dims && used < room; i++) {
    axis a = read_axis(w, x, i);
    used += (size_t)snprintf(out + used, room - used, "%s%" PRId64,
                             i ? "x" : "", f(&a));
  }
}

static int64_t kernel_of(const axis *a) {
  return a->kernel;
}

/* "kernel 7x7 is larger than the padded input 6x6", the rule, a remedy. */
static ln_status does_not_fit(const ln_infer *io, const ln_window *w,
                              const axis *a) {
  char kernel[100], input[100], spread[100] = "", minus[100] = "";
  side_by_side(w, &io->x[0], kernel_of, kernel, sizeof kernel);
  side_by_side(w, &io->x[0], padded, input, sizeof input);
  if (a->dilation > 1) {
    snprintf(spread, sizeof spread,
             " (spread over %" PRId64 " by dilation %" PRId64 ")", extent(a),
             a->dilation);
    snprintf(minus, sizeof minus, "%" PRId64 "*(%" PRId64 "-1) - 1",
             a->dilation, a->kernel);
  } else {
    snprintf(minus, sizeof minus, "%" PRId64, a->kernel);
  }
  int64_t lack = extent(a) - padded(a);
  int64_t room = a->in + a->before + a->after;
  return ln_fail(io->host,
                 "kernel %s%s is larger than the padded input %s\n"
                 "  output %s = floor((%" PRId64 " + %" PRId64 " + %" PRId64
                 " - %s) / %" PRId64 ") + 1 < 1, but must be at least 1\n"
                 "  try padding = %" PRId64 ", or kernel_size <= %" PRId64,
                 kernel, spread, input, a->name, a->in, a->before, a->after,
                 minus, a->stride, a->before + (lack + 1) / 2,
                 a->dilation > 1 ? (room - 1) / a->dilation + 1 : room);
}

static int64_t output_size(const axis *a, bool ceil_mode) {
  int64_t room = padded(a) - extent(a);
  int64_t out = room / a->stride + 1;
  if (!ceil_mode || room % a->stride == 0) return out;
  return out * a->stride < a->in + a->before ? out + 1 : out;
}

/* How much of the input itself no window reads. */
static int64_t left_over(const axis *a, int64_t out) {
  int64_t read = (out - 1) * a->stride + extent(a) - a->before;
  return read < a->in ? a->in - read : 0;
}

static ln_status note_left_over(ln_infer *io, const ln_window *w, const axis *a,
                                int64_t out) {
  int64_t n = left_over(a, out);
  if (!n || extent(a) < a->stride) return LN_OK;
  const char *line = !strcmp(a->name, "width") ? "column" : "row";
  char which[60], text[300];
  if (n == 1)
    snprintf(which, sizeof which, "%s", line);
  else
    snprintf(which, sizeof which, "%" PRId64 " %ss", n, line);
  snprintf(text, sizeof text,
           "the last %s of the input (%s %" PRId64 ") %s never read: (%" PRId64
           " + %" PRId64 " + %" PRId64 " - %" PRId64 ") / %" PRId64
           " is not whole",
           which, a->name, a->in, n == 1 ? "is" : "are", a->in, a->before,
           a->after, extent(a), a->stride);
  if (w->strict) return ln_fail(io->host, "%s", text);
  io->host->notice(io, "%s", text);
  return LN_OK;
}

ln_status ln_window_service(ln_infer *io, const ln_window *w) {
  const ln_shape *x = &io->x[0];
  ln_inference *result = ((ln_inferring *)io)->result;
  if (w->dims < 1 || w->dims > 3 || x->rank < w->dims ||
      io->y[0].rank < w->dims)
    return ln_fail(io->host, "a window of %d dims does not fit an input of %d",
                   w->dims, x->rank);
  result->window_dims = w->dims;
  for (int32_t i = 0; i < w->dims; i++) {
    axis a = read_axis(w, x, i);
    if (check_axis(io, &a)) return LN_FAILED;
    if (padded(&a) < extent(&a)) return does_not_fit(io, w, &a);
    int64_t out = output_size(&a, w->ceil_mode);
    io->y[0].dim[io->y[0].rank - w->dims + i] = out;
    result->window[i] = (ln_axis){ a.kernel, a.stride, a.before, a.dilation };
    if (note_left_over(io, w, &a, out)) return LN_FAILED;
  }
  return LN_OK;
}
