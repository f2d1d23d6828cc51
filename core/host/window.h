/* window.h - a window slid over an input, axis by axis: the arithmetic, and
 * the sentences about what does not fit. */
#ifndef LUNET_HOST_WINDOW_H
#define LUNET_HOST_WINDOW_H

#include "host/infer.h"

#define LN_MAX_AXES 3

/* All numbers lie in 0 .. 2^40, kernel, stride and dilation from 1 on. */
typedef struct ln_window_axis {
  const char *name; /* "height" */
  const char *line; /* what is counted along it: "row" */
  int64_t in, kernel, stride, dilation, before, after;
} ln_window_axis;

typedef struct ln_window_view {
  int dims;
  ln_window_axis axis[LN_MAX_AXES];
  bool ceil_mode;
} ln_window_view;

/* What a window spans, with the gaps of the dilation. */
int64_t ln_window_extent(const ln_window_axis *);
int64_t ln_window_padded(const ln_window_axis *);
/* Below 1: the window is larger than the padded input. */
int64_t ln_window_output(const ln_window_axis *, bool ceil_mode);
/* How many of the last lines of the input itself lie beyond the last window.
 * 0 where the stride steps over lines anyway. */
int64_t ln_window_unread(const ln_window_axis *, bool ceil_mode);

/* Does every axis have an output, and is every line read? */
bool ln_window_fits(const ln_window_view *);

/* Fails: the kernel is larger than the padded input; some axis is so. */
ln_status ln_window_refuse_small(const ln_infer *, const ln_window_view *);
/* Some axis has unread lines: a notice, or with `strict` a refusal that names
 * remedies. */
ln_status ln_window_report_unread(ln_infer *, const ln_window_view *,
                                  bool strict);

#endif
