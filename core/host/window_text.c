/* window_text.c - what is said where a window does not fit: the rule with the
 * numbers put in, and remedies. No remedy is offered untried: the options or
 * the size that it proposes go through the same arithmetic first. */
#include "host/window.h"

#include <string.h>

#include "base/text.h"

/* ---- parts of sentences ---- */

/* "3x3"; by: what stands between the numbers. */
static void add_sizes(ln_text *t, const ln_window_view *v, const char *by,
                      int64_t (*size)(const ln_window_axis *)) {
  for (int i = 0; i < v->dims; i++)
    ln_text_add(t, "%s%" PRId64, i ? by : "", size(&v->axis[i]));
}

static int64_t kernel_of(const ln_window_axis *a) {
  return a->kernel;
}

static int64_t input_of(const ln_window_axis *a) {
  return a->in;
}

/* "floor((7 + 0 + 0 - 3) / 2) + 1" */
static void add_rule(ln_text *t, const ln_window_axis *a) {
  ln_text_add(t, "floor((%" PRId64 " + %" PRId64 " + %" PRId64 " - ", a->in,
              a->before, a->after);
  if (a->dilation > 1)
    ln_text_add(t, "%" PRId64 "*(%" PRId64 "-1) - 1", a->dilation, a->kernel);
  else
    ln_text_add(t, "%" PRId64, a->kernel);
  ln_text_add(t, ") / %" PRId64 ") + 1", a->stride);
}

/* ---- the kernel is larger than the padded input ---- */

static int64_t lack_of(const ln_window_axis *a) {
  return ln_window_extent(a) - ln_window_padded(a);
}

/* The padding that makes room for one window along every axis. */
static int64_t padding_for_one(const ln_window_view *v) {
  int64_t most = 0;
  for (int i = 0; i < v->dims; i++) {
    const ln_window_axis *a = &v->axis[i];
    int64_t lack = lack_of(a) > 0 ? lack_of(a) : 0;
    int64_t padding = a->before + (lack + 1) / 2;
    if (padding > most) most = padding;
  }
  return most;
}

/* The largest kernel with room along every axis; 0: the input is empty. */
static int64_t kernel_for_one(const ln_window_view *v) {
  int64_t least = INT64_MAX;
  for (int i = 0; i < v->dims; i++) {
    const ln_window_axis *a = &v->axis[i];
    int64_t room = ln_window_padded(a);
    int64_t kernel = room ? (room - 1) / a->dilation + 1 : 0;
    if (kernel < least) least = kernel;
  }
  return least;
}

static const ln_window_axis *first_lacking(const ln_window_view *v) {
  int i = 0;
  while (lack_of(&v->axis[i]) <= 0) i++;
  return &v->axis[i];
}

ln_status ln_window_refuse_small(const ln_infer *io, const ln_window_view *v) {
  const ln_window_axis *a = first_lacking(v);
  ln_text t = { 0 };
  ln_text_add(&t, "kernel ");
  add_sizes(&t, v, "x", kernel_of);
  if (a->dilation > 1)
    ln_text_add(&t, " (spread over %" PRId64 " by dilation %" PRId64 ")",
                ln_window_extent(a), a->dilation);
  ln_text_add(&t, " is larger than the padded input ");
  add_sizes(&t, v, "x", ln_window_padded);
  ln_text_add(&t, "\n  output %s = ", a->name);
  add_rule(&t, a);
  ln_text_add(&t, " < 1, but must be at least 1\n  try padding = %" PRId64,
              padding_for_one(v));
  if (kernel_for_one(v) > 0)
    ln_text_add(&t, ", or kernel_size <= %" PRId64, kernel_for_one(v));
  ln_status s = ln_fail(io->host, "%s", ln_text_get(&t));
  ln_text_free(&t);
  return s;
}

/* ---- lines that are never read ---- */

static int64_t unread(const ln_window_view *v, int i) {
  return ln_window_unread(&v->axis[i], v->ceil_mode);
}

/* "row 8 of 8", "rows 7 and 8 of 8", "rows 6 to 8 of 8" */
static void add_lines(ln_text *t, const ln_window_axis *a, int64_t n) {
  if (n == 1)
    ln_text_add(t, "%s %" PRId64, a->line, a->in);
  else
    ln_text_add(t, "%ss %" PRId64 " %s %" PRId64, a->line, a->in - n + 1,
                n == 2 ? "and" : "to", a->in);
  ln_text_add(t, " of %" PRId64, a->in);
}

/* "row 8 of 8 and column 6 of 6 are never read" */
static void add_unread(ln_text *t, const ln_window_view *v) {
  int64_t total = 0;
  int axes = 0, done = 0;
  for (int i = 0; i < v->dims; i++) {
    total += unread(v, i);
    axes += unread(v, i) > 0;
  }
  for (int i = 0; i < v->dims; i++) {
    if (!unread(v, i)) continue;
    ln_text_add(t, "%s", !done ? "" : done + 1 < axes ? ", " : " and ");
    add_lines(t, &v->axis[i], unread(v, i));
    done++;
  }
  ln_text_add(t, " %s never read", total == 1 ? "is" : "are");
}

static bool same_rule(const ln_window_axis *a, const ln_window_axis *b) {
  return a->in == b->in && a->before == b->before && a->after == b->after &&
         a->kernel == b->kernel && a->dilation == b->dilation &&
         a->stride == b->stride;
}

/* 2.33, cut off and not rounded, so that 2.999 does not look whole. */
static double two_places(const ln_window_axis *a) {
  int64_t room = ln_window_padded(a) - ln_window_extent(a);
  int64_t hundredths = room % a->stride * 100 / a->stride;
  return (double)(room / a->stride + 1) + (double)hundredths / 100;
}

/* Is there an axis before the i-th whose rule says the same? */
static bool is_said(const ln_window_view *v, int i) {
  for (int k = 0; k < i; k++)
    if (same_rule(&v->axis[k], &v->axis[i])) return true;
  return false;
}

/* "output height and width = floor(...) + 1 = 2, rounded down from 2.33" */
static void add_rules(ln_text *t, const ln_window_view *v) {
  for (int i = 0; i < v->dims; i++) {
    const ln_window_axis *a = &v->axis[i];
    if (!unread(v, i) || is_said(v, i)) continue;
    ln_text_add(t, "\n  output %s", a->name);
    for (int k = i + 1; k < v->dims; k++)
      if (same_rule(a, &v->axis[k])) ln_text_add(t, " and %s", v->axis[k].name);
    ln_text_add(t, " = ");
    add_rule(t, a);
    ln_text_add(t, " = %" PRId64 ", rounded down from %.2f",
                ln_window_output(a, v->ceil_mode), two_places(a));
  }
}

/* ---- remedies ---- */

#define MOST_TRIED 65535 /* of one option; far beyond what layers use */

/* The remedies found so far, as a list. */
typedef struct remedies {
  const ln_window_view *view;
  ln_text text[4];
  int n;
} remedies;

static bool has_option(const ln_infer *io, const char *name) {
  const ln_known_layer *l = ((const ln_inferring *)io)->instance->known;
  for (int64_t i = 0; i < l->n_options; i++)
    if (!strcmp(l->options[i].name, name)) return true;
  return false;
}

/* Takes a remedy into the list if it holds; NULL: it does not. */
static ln_text *offer(remedies *r, const ln_window_view *tried) {
  return ln_window_fits(tried) ? &r->text[r->n++] : NULL;
}

/* "padding = 1" or "padding = {1, 0}", and what comes of it. */
static void add_option(ln_text *t, const char *name, const ln_window_view *v,
                       int64_t (*value)(const ln_window_axis *)) {
  bool equal = true;
  for (int i = 1; i < v->dims; i++)
    equal &= value(&v->axis[i]) == value(&v->axis[0]);
  if (equal) {
    ln_text_add(t, "%s = %" PRId64, name, value(&v->axis[0]));
    return;
  }
  ln_text_add(t, "%s = {", name);
  add_sizes(t, v, ", ", value);
  ln_text_add(t, "}");
}

static void add_result(ln_text *t, const ln_window_view *v) {
  ln_text_add(t, " → ");
  for (int i = 0; i < v->dims; i++)
    ln_text_add(t, "%s%" PRId64, i ? "×" : "",
                ln_window_output(&v->axis[i], v->ceil_mode));
}

static int64_t padding_of(const ln_window_axis *a) {
  return a->before;
}

static int64_t stride_of(const ln_window_axis *a) {
  return a->stride;
}

/* More padding, the same on both sides, and at most half a kernel: pools take
 * no more, and a window in the padding alone would see nothing. */
static bool pad_axis(ln_window_axis *a, bool ceil_mode) {
  if (a->before != a->after) return false;
  while (ln_window_unread(a, ceil_mode) && a->before < a->kernel / 2) {
    a->before++;
    a->after++;
  }
  return true;
}

static void try_padding(remedies *r, const ln_infer *io) {
  ln_window_view v = *r->view;
  bool possible = has_option(io, "padding");
  for (int i = 0; i < v.dims; i++)
    possible = possible && pad_axis(&v.axis[i], v.ceil_mode);
  ln_text *t = possible ? offer(r, &v) : NULL;
  if (!t) return;
  add_option(t, "padding", &v, padding_of);
  add_result(t, &v);
}

/* The next smaller stride; 1 always fits. */
static void slow_axis(ln_window_axis *a, bool ceil_mode) {
  if (!ln_window_unread(a, ceil_mode)) return;
  if (a->stride > MOST_TRIED) a->stride = MOST_TRIED;
  while (ln_window_unread(a, ceil_mode)) a->stride--;
}

static void try_stride(remedies *r, const ln_infer *io) {
  ln_window_view v = *r->view;
  for (int i = 0; i < v.dims; i++) slow_axis(&v.axis[i], v.ceil_mode);
  ln_text *t = has_option(io, "stride") ? offer(r, &v) : NULL;
  if (!t) return;
  add_option(t, "stride", &v, stride_of);
  add_result(t, &v);
}

static void try_ceil_mode(remedies *r, const ln_infer *io) {
  ln_window_view v = *r->view;
  v.ceil_mode = true;
  ln_text *t = has_option(io, "ceil_mode") ? offer(r, &v) : NULL;
  if (!t) return;
  ln_text_add(t, "ceil_mode = true");
  add_result(t, &v);
}

static void try_cropping(remedies *r) {
  ln_window_view v = *r->view;
  for (int i = 0; i < v.dims; i++) {
    v.axis[i].in -= unread(r->view, i);
    if (v.axis[i].in < 1) return;
  }
  ln_text *t = offer(r, &v);
  if (!t) return;
  ln_text_add(t, "crop x to ");
  add_sizes(t, &v, "×", input_of);
}

static void add_remedies(ln_text *t, const ln_infer *io,
                         const ln_window_view *v) {
  remedies r = { .view = v };
  try_padding(&r, io);
  try_stride(&r, io);
  try_ceil_mode(&r, io);
  try_cropping(&r);
  for (int i = 0; i < r.n; i++) {
    const char *joint = i + 1 < r.n || r.n == 1 ? ", " : ", or ";
    ln_text_add(t, "%s%s", i ? joint : "\n  try ", ln_text_get(&r.text[i]));
    ln_text_free(&r.text[i]);
  }
}

/* ---- the whole ---- */

ln_status ln_window_report_unread(ln_infer *io, const ln_window_view *v,
                                  bool strict) {
  ln_text t = { 0 };
  ln_status s = LN_OK;
  add_unread(&t, v);
  ln_text_add(&t, strict ? ", which strict = true refuses"
                         : ", as no window fits there");
  add_rules(&t, v);
  if (strict) {
    add_remedies(&t, io, v);
    s = ln_fail(io->host, "%s", ln_text_get(&t));
  } else {
    io->host->notice(io, "%s", ln_text_get(&t));
  }
  ln_text_free(&t);
  return s;
}
