/* options.c - parsing of options by their table; see options.h. */
#include "host/options.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* Whole numbers that a double holds exactly. */
#define WHOLE_LIMIT 9007199254740992.0

typedef struct parsing {
  const char *where;
  const ln_option *rows;
  int64_t n_rows;
  const ln_named_value *values;
  int64_t n_values;
  char *self;
  ln_kept_texts *kept;
} parsing;

void ln_kept_texts_free(ln_kept_texts *k) {
  for (int64_t i = 0; i < k->count; i++) ln_free(k->texts[i]);
  ln_free(k->texts);
  *k = (ln_kept_texts){ 0 };
}

const char *ln_keep_text(ln_kept_texts *k, const char *s) {
  char **more = ln_alloc((size_t)(k->count + 1) * sizeof *more);
  char *copy = ln_copy_text(s);
  if (!more || !copy) {
    ln_free(more);
    ln_free(copy);
    return NULL;
  }
  if (k->count) memcpy(more, k->texts, (size_t)k->count * sizeof *more);
  ln_free(k->texts);
  more[k->count++] = copy;
  k->texts = more;
  return copy;
}

/* ---- words, as in "a|b|c" ---- */

static int64_t word_index(const char *words, const char *word) {
  size_t length = strlen(word);
  int64_t index = 0;
  for (const char *w = words; w; index++) {
    const char *end = strchr(w, '|');
    size_t n = end ? (size_t)(end - w) : strlen(w);
    if (n == length && !memcmp(w, word, n)) return index;
    w = end ? end + 1 : NULL;
  }
  return -1;
}

static void add_words(ln_text *t, const char *words, const char *joint) {
  for (const char *w = words; w;) {
    const char *end = strchr(w, '|');
    int n = end ? (int)(end - w) : (int)strlen(w);
    ln_text_add(t, "%s\"%.*s\"", w == words ? "" : end ? ", " : joint, n, w);
    w = end ? end + 1 : NULL;
  }
}

static void word_at(const char *words, int64_t index, char *out, size_t room) {
  const char *w = words;
  for (; index > 0 && w; index--) {
    w = strchr(w, '|');
    if (w) w++;
  }
  size_t n = w ? strcspn(w, "|") : 0;
  if (n >= room) n = room - 1;
  if (n) memcpy(out, w, n);
  out[n] = 0;
}

/* ---- what a row expects, in words ---- */

static int64_t row_length(const ln_option *row) {
  switch (row->type) {
  case LN_T_INTS: return (int64_t)(row->size / sizeof(int64_t));
  case LN_T_REALS: return (int64_t)(row->size / sizeof(double));
  default: return 1;
  }
}

/* The largest size that the field itself can hold. */
static double field_limit(const ln_option *row) {
  if (row->type == LN_T_REAL) return row->size == 4 ? FLT_MAX : DBL_MAX;
  return row->type == LN_T_INT && row->size == 4 ? INT32_MAX : WHOLE_LIMIT;
}

static void add_range(ln_text *t, const ln_option *row) {
  bool low = row->min > -LN_ANY, high = row->max < LN_ANY;
  if (low && high)
    ln_text_add(t, " from %g to %g", row->min, row->max);
  else if (low)
    ln_text_add(t, " >= %g", row->min);
  else if (high)
    ln_text_add(t, " <= %g", row->max);
}

static void add_kind(ln_text *t, const ln_option *row) {
  int64_t n = row_length(row);
  switch (row->type) {
  case LN_T_BOOL: ln_text_add(t, "true or false"); return;
  case LN_T_TEXT: ln_text_add(t, "a text"); return;
  case LN_T_CHOICE:
    ln_text_add(t, "one of ");
    add_words(t, row->words, " or ");
    return;
  case LN_T_REAL:
  case LN_T_REALS: ln_text_add(t, "a number"); break;
  default: ln_text_add(t, "a whole number");
  }
  add_range(t, row);
  if (row->type == LN_T_LIST)
    ln_text_add(t, " or a list of up to %d", LN_MAX_DIMS);
  else if (n > 1)
    ln_text_add(t, " or a list of %" PRId64, n);
  if (row->words) {
    ln_text_add(t, " or ");
    add_words(t, row->words, " or ");
  }
}

char *ln_options_describe(const ln_option *row, char *buffer, size_t room) {
  ln_text t = { 0 };
  if (row->type == LN_T_ONE_OF) {
    ln_text_add(&t, "exactly one of ");
    add_words(&t, row->words, " and ");
  } else {
    add_kind(&t, row);
  }
  snprintf(buffer, room, "%s", ln_text_get(&t));
  ln_text_free(&t);
  return buffer;
}

static void add_value(ln_text *t, const ln_value *v) {
  switch (v->kind) {
  case LN_VALUE_NIL: ln_text_add(t, "nil"); break;
  case LN_VALUE_BOOL: ln_text_add(t, v->truth ? "true" : "false"); break;
  case LN_VALUE_NUMBER:
    if (isnan(v->number))
      ln_text_add(t, "nan"); /* whatever its sign */
    else
      ln_text_add(t, "%.15g", v->number);
    break;
  case LN_VALUE_TEXT: ln_text_add(t, "\"%.60s\"", v->text); break;
  case LN_VALUE_OTHER: ln_text_add(t, "a %s", v->text); break;
  case LN_VALUE_LIST:
    ln_text_add(t, "{");
    for (int64_t i = 0; i < v->count && i < 10; i++) {
      ln_text_add(t, i ? ", " : "");
      add_value(t, &v->items[i]);
    }
    ln_text_add(t, v->count > 10 ? ", ...}" : "}");
  }
}

/* "conv2d: stride = 0, but it must be a whole number >= 1 ..." */
static ln_status refuse(const parsing *p, const ln_option *row,
                        const ln_value *v) {
  ln_text t = { 0 };
  ln_text_add(&t, "%s: %s = ", p->where, row->name);
  add_value(&t, v);
  ln_text_add(&t, ", but it must be ");
  add_kind(&t, row);
  if (v->kind == LN_VALUE_NUMBER && isfinite(v->number) &&
      fabs(v->number) > field_limit(row))
    ln_text_add(&t, ", and no larger than %.15g", field_limit(row));
  ln_text_add(&t, "\n  %s: %s", row->name, row->help);
  ln_set_error("%s", ln_text_get(&t));
  ln_text_free(&t);
  return LN_FAILED;
}

/* ---- writing into fields ---- */

static bool in_range(const ln_option *row, double v) {
  return v >= row->min && v <= row->max;
}

static bool is_whole(double v) {
  return v >= -WHOLE_LIMIT && v <= WHOLE_LIMIT && v == floor(v);
}

static bool number_fits(const ln_option *row, const ln_value *v) {
  if (v->kind != LN_VALUE_NUMBER || !isfinite(v->number)) return false;
  bool real = row->type == LN_T_REAL || row->type == LN_T_REALS;
  return (real || is_whole(v->number)) && in_range(row, v->number) &&
         (row->type == LN_T_REALS || fabs(v->number) <= field_limit(row));
}

static void write_whole(char *field, size_t size, int64_t v) {
  if (size == sizeof(int32_t)) {
    int32_t small = (int32_t)v;
    memcpy(field, &small, sizeof small);
  } else {
    memcpy(field, &v, sizeof v);
  }
}

static void write_real(char *field, size_t size, double v) {
  if (size == sizeof(float)) {
    float small = (float)v;
    memcpy(field, &small, sizeof small);
  } else {
    memcpy(field, &v, sizeof v);
  }
}

static void write_bool(char *field, size_t size, bool v) {
  if (size == sizeof(bool))
    memcpy(field, &v, sizeof v);
  else
    write_whole(field, size, v);
}

/* One number, wherever the row has numbers: place i of the field. */
static void write_number(const ln_option *row, char *field, int64_t i,
                         double v) {
  switch (row->type) {
  case LN_T_REAL: write_real(field, row->size, v); break;
  case LN_T_REALS: write_real(field + i * 8, 8, v); break;
  case LN_T_INTS: write_whole(field + i * 8, 8, (int64_t)v); break;
  case LN_T_LIST: {
    ln_list list;
    memcpy(&list, field, sizeof list);
    list.at[i] = (int64_t)v;
    if (list.count <= i) list.count = i + 1;
    memcpy(field, &list, sizeof list);
    break;
  }
  default: write_whole(field, row->size, (int64_t)v);
  }
}

static ln_status write_numbers(const parsing *p, const ln_option *row,
                               char *field, const ln_value *v) {
  int64_t n = row_length(row);
  if (v->kind == LN_VALUE_NUMBER) {
    if (!number_fits(row, v)) return refuse(p, row, v);
    for (int64_t i = 0; i < n; i++) write_number(row, field, i, v->number);
    return LN_OK;
  }
  bool list = row->type == LN_T_LIST;
  bool length_fits =
      list ? v->count >= 1 && v->count <= LN_MAX_DIMS : v->count == n;
  bool takes_list = list || row->type == LN_T_INTS || row->type == LN_T_REALS;
  if (v->kind != LN_VALUE_LIST || !takes_list || !length_fits)
    return refuse(p, row, v);
  for (int64_t i = 0; i < v->count; i++) {
    if (!number_fits(row, &v->items[i])) return refuse(p, row, v);
    write_number(row, field, i, v->items[i].number);
  }
  return LN_OK;
}

static ln_status write_word(const parsing *p, const ln_option *row, char *field,
                            const ln_value *v) {
  int64_t index = word_index(row->words, v->text);
  if (index < 0) return refuse(p, row, v);
  if (row->type == LN_T_CHOICE) {
    write_whole(field, row->size, index);
    return LN_OK;
  }
  for (int64_t i = 0; i < row_length(row); i++)
    write_number(row, field, i, (double)LN_WORD(index));
  return LN_OK;
}

static ln_status write_text(const parsing *p, char *field, const char *text) {
  const char *kept = text ? ln_keep_text(p->kept, text) : NULL;
  if (text && !kept) return LN_FAILED;
  memcpy(field, &kept, sizeof kept);
  return LN_OK;
}

static ln_status write_given(const parsing *p, const ln_option *row,
                             char *field, const ln_value *v) {
  switch (row->type) {
  case LN_T_BOOL:
    if (v->kind != LN_VALUE_BOOL) return refuse(p, row, v);
    write_bool(field, row->size, v->truth);
    return LN_OK;
  case LN_T_TEXT:
    if (v->kind != LN_VALUE_TEXT) return refuse(p, row, v);
    return write_text(p, field, v->text);
  case LN_T_CHOICE:
    if (v->kind != LN_VALUE_TEXT) return refuse(p, row, v);
    return write_word(p, row, field, v);
  default:
    if (v->kind == LN_VALUE_TEXT && row->words)
      return write_word(p, row, field, v);
    return write_numbers(p, row, field, v);
  }
}

/* "0.9 0.999", as many as fit. */
static void write_default_reals(const ln_option *row, char *field) {
  const char *s = row->text ? row->text : "";
  for (int64_t i = 0; i < row_length(row); i++) {
    int used = 0;
    double v = 0;
    if (sscanf(s, "%lf%n", &v, &used) == 1) s += used;
    write_real(field + i * 8, 8, v);
  }
}

static bool is_mark(double fallback) {
  return fallback == LN_UNSET || fallback == LN_FROM_INPUT;
}

static ln_status write_default(const parsing *p, const ln_option *row,
                               char *field) {
  if (row->type != LN_T_REALS || row->fallback != LN_UNSET)
    memset(field, 0, row->size);
  switch (row->type) {
  case LN_T_TEXT: return write_text(p, field, row->text);
  case LN_T_BOOL: write_bool(field, row->size, row->fallback != 0); break;
  case LN_T_REALS: write_default_reals(row, field); break;
  case LN_T_CHOICE:
    write_whole(field, row->size, word_index(row->words, row->text));
    break;
  default:
    if (is_mark(row->fallback)) break;
    for (int64_t i = 0; i < row_length(row); i++)
      write_number(row, field, i, row->fallback);
  }
  return LN_OK;
}

/* ---- the table as a whole ---- */

static const ln_option *find_row(const parsing *p, const char *name) {
  for (int64_t i = 0; i < p->n_rows; i++)
    if (p->rows[i].name && !strcmp(p->rows[i].name, name)) return &p->rows[i];
  return NULL;
}

static const ln_value *find_value(const parsing *p, const char *name,
                                  size_t length) {
  for (int64_t i = 0; i < p->n_values; i++) {
    const char *given = p->values[i].name;
    if (given && strlen(given) == length && !memcmp(given, name, length) &&
        p->values[i].value.kind != LN_VALUE_NIL)
      return &p->values[i].value;
  }
  return NULL;
}

static bool is_among(const char *name, const char *const *names) {
  for (; names && *names; names++)
    if (!strcmp(*names, name)) return true;
  return false;
}

static ln_status refuse_unknown(const parsing *p, const char *name) {
  const char *words[256];
  int64_t n = 0;
  ln_text t = { 0 };
  for (int64_t i = 0; i < p->n_rows && n < 256; i++)
    if (p->rows[i].name) words[n++] = p->rows[i].name;
  ln_text_add(&t, "%s has no option '%.60s'", p->where, name);
  const char *near = ln_nearest_word(name, words, n);
  if (near) ln_text_add(&t, "; did you mean '%s'?", near);
  ln_text_add(&t, n ? "\n  options: " : "\n  it takes no options");
  for (int64_t i = 0; i < n; i++)
    ln_text_add(&t, "%s%s", i ? ", " : "", words[i]);
  ln_set_error("%s", ln_text_get(&t));
  ln_text_free(&t);
  return LN_FAILED;
}

static ln_status check_names(const parsing *p, const char *const *extra) {
  for (int64_t i = 0; i < p->n_values; i++) {
    const char *name = p->values[i].name;
    if (!name)
      return ln_set_error(
          "%s: options are given by name, such as { %s = ... "
          "}, but value %" PRId64 " has no name",
          p->where, p->n_rows && p->rows[0].name ? p->rows[0].name : "name",
          i + 1);
    if (!find_row(p, name) && !is_among(name, extra))
      return refuse_unknown(p, name);
  }
  return LN_OK;
}

static ln_status check_one_of(const parsing *p, const ln_option *row) {
  int given = 0;
  for (const char *w = row->words; w;) {
    size_t n = strcspn(w, "|");
    given += find_value(p, w, n) != NULL;
    w = w[n] ? w + n + 1 : NULL;
  }
  if (given == 1) return LN_OK;
  char rule[200];
  ln_options_describe(row, rule, sizeof rule);
  return ln_set_error("%s: give %s, not %s", p->where, rule,
                      given ? "both" : "none of them");
}

static ln_status parse_row(const parsing *p, const ln_option *row) {
  if (row->type == LN_T_ONE_OF) return check_one_of(p, row);
  char *field = p->self + row->offset;
  const ln_value *v = find_value(p, row->name, strlen(row->name));
  if (!v) {
    if (row->fallback != LN_REQUIRED) return write_default(p, row, field);
    char kind[200];
    return ln_set_error("%s: the option %s is missing; it must be %s\n  %s: %s",
                        p->where, row->name,
                        ln_options_describe(row, kind, sizeof kind), row->name,
                        row->help);
  }
  memset(field, 0, row->size);
  return write_given(p, row, field, v);
}

/* A stride left out takes the kernel_size. */
static void follow_others(const parsing *p) {
  for (int64_t i = 0; i < p->n_rows; i++) {
    const ln_option *row = &p->rows[i];
    if (row->type != LN_T_INTS || !row->text) continue;
    const ln_option *other = find_row(p, row->text);
    if (!other || find_value(p, row->name, strlen(row->name))) continue;
    memcpy(p->self + row->offset, p->self + other->offset,
           row->size < other->size ? row->size : other->size);
  }
}

ln_status ln_options_parse(const ln_option *rows, int64_t n_rows,
                           const char *where, const char *const *extra,
                           const ln_named_value *values, int64_t n_values,
                           void *self, ln_kept_texts *kept) {
  parsing p = { where, rows, n_rows, values, n_values, self, kept };
  if (check_names(&p, extra)) return LN_FAILED;
  for (int64_t i = 0; i < n_rows; i++)
    if (parse_row(&p, &rows[i])) return LN_FAILED;
  follow_others(&p);
  return LN_OK;
}

/* ---- reading fields back ---- */

static int64_t read_whole(const char *field, size_t size) {
  int64_t big = 0;
  int32_t small = 0;
  if (size == sizeof big)
    memcpy(&big, field, sizeof big);
  else
    memcpy(&small, field, sizeof small);
  return size == sizeof big ? big : small;
}

static double read_real(const char *field, size_t size) {
  double big = 0;
  float small = 0;
  if (size == sizeof big)
    memcpy(&big, field, sizeof big);
  else
    memcpy(&small, field, sizeof small);
  return size == sizeof big ? big : (double)small;
}

static ln_value number_value(double v) {
  return (ln_value){ .kind = LN_VALUE_NUMBER, .number = v };
}

static ln_value word_value(const ln_option *row, int64_t index,
                           ln_value *room) {
  char *text = (char *)room; /* long enough for any word of a table */
  word_at(row->words, index, text, sizeof *room * LN_MAX_DIMS);
  return (ln_value){ .kind = LN_VALUE_TEXT, .text = text };
}

static ln_value list_value(const ln_option *row, const char *field,
                           ln_value *room) {
  int64_t n = row_length(row);
  ln_list list = { 0 };
  if (row->type == LN_T_LIST) {
    memcpy(&list, field, sizeof list);
    n = list.count;
  }
  if (n > LN_MAX_DIMS) n = LN_MAX_DIMS;
  for (int64_t i = 0; i < n; i++)
    room[i] = number_value(row->type == LN_T_LIST ? (double)list.at[i]
                           : row->type == LN_T_REALS
                               ? read_real(field + i * 8, 8)
                               : (double)read_whole(field + i * 8, 8));
  return (ln_value){ .kind = LN_VALUE_LIST, .items = room, .count = n };
}

ln_value ln_options_value(const ln_option *row, const void *self,
                          ln_value *room) {
  const char *field = (const char *)self + row->offset;
  switch (row->type) {
  case LN_T_BOOL: {
    bool truth = row->size == 1 ? *field != 0 : read_whole(field, row->size);
    return (ln_value){ .kind = LN_VALUE_BOOL, .truth = truth };
  }
  case LN_T_TEXT: {
    const char *text;
    memcpy(&text, field, sizeof text);
    if (!text) return (ln_value){ .kind = LN_VALUE_NIL };
    return (ln_value){ .kind = LN_VALUE_TEXT, .text = text };
  }
  case LN_T_CHOICE: return word_value(row, read_whole(field, row->size), room);
  case LN_T_REAL: return number_value(read_real(field, row->size));
  case LN_T_INT: return number_value((double)read_whole(field, row->size));
  case LN_T_INTS:
    if (row->words && read_whole(field, 8) < 0)
      return word_value(row, -1 - read_whole(field, 8), room);
    return list_value(row, field, room);
  default: return list_value(row, field, room);
  }
}

static bool is_zero(const ln_option *row, const void *self) {
  const char *field = (const char *)self + row->offset;
  for (uint32_t i = 0; i < row->size; i++)
    if (field[i]) return false;
  return true;
}

bool ln_option_is_open(const ln_option *row, const void *self) {
  return row->fallback == LN_FROM_INPUT && is_zero(row, self);
}

bool ln_option_is_unset(const ln_option *row, const void *self) {
  return row->fallback == LN_UNSET && is_zero(row, self);
}
