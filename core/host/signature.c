/* signature.c - shape lines: parsing and matching; see signature.h. */
#include "host/signature.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/options.h"

/* ---- parsing ---- */

static const char *skip_spaces(const char *s) {
  while (*s == ' ') s++;
  return s;
}

/* Reads a word of letters, digits and _ into out; NULL: none, or too long. */
static const char *read_word(const char *s, char *out, size_t room) {
  size_t n = 0;
  while (isalnum((unsigned char)s[n]) || s[n] == '_') n++;
  if (!n || n >= room) return NULL;
  memcpy(out, s, n);
  out[n] = 0;
  return s + n;
}

static const ln_option *find_option(const char *word, const ln_option *options,
                                    int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (options[i].name && !strcmp(options[i].name, word)) return &options[i];
  return NULL;
}

static const char *parse_dim(const char *s, const ln_option *options,
                             int64_t n_options, ln_dim *d) {
  *d = (ln_dim){ 0 };
  if (!strncmp(s, "...", 3)) return s + 3;
  if (!(s = read_word(s, d->word, sizeof d->word))) return NULL;
  if (isdigit((unsigned char)d->word[0])) {
    d->kind = LN_DIM_NUMBER;
    d->number = strtoll(d->word, NULL, 10);
    return s;
  }
  d->option = find_option(d->word, options, n_options);
  d->kind = d->option ? LN_DIM_OPTION : LN_DIM_WORD;
  return s;
}

static const char *parse_dims(const char *s, const ln_option *options,
                              int64_t n_options, ln_port *p) {
  s = skip_spaces(s + 1);
  if (*s == ')') return s + 1;
  for (;;) {
    if (p->n_dims == LN_MAX_DIMS) return NULL;
    s = parse_dim(s, options, n_options, &p->dims[p->n_dims++]);
    if (!s) return NULL;
    s = skip_spaces(s);
    if (*s == ')') return s + 1;
    if (*s++ != ',') return NULL;
    s = skip_spaces(s);
  }
}

static const char *parse_port(const char *s, const ln_option *options,
                              int64_t n_options, ln_port *p) {
  *p = (ln_port){ 0 };
  if (!(s = read_word(s, p->name, sizeof p->name))) return NULL;
  p->any_shape = *s != '(';
  if (!p->any_shape && !(s = parse_dims(s, options, n_options, p))) return NULL;
  p->repeats = *s == '*';
  return skip_spaces(p->repeats ? s + 1 : s);
}

ln_status ln_signature_parse(const char *line, const ln_option *options,
                             int64_t n_options, ln_signature *out) {
  *out = (ln_signature){ 0 };
  const char *s = skip_spaces(line);
  while (s && out->n_ports < LN_MAX_PORTS) {
    s = parse_port(s, options, n_options, &out->ports[out->n_ports++]);
    if (s && !*s) return LN_OK;
    if (s) s = *s == ',' ? skip_spaces(s + 1) : NULL;
  }
  return ln_set_error("the shape line \"%s\" cannot be read; it looks like "
                      "\"x(N,in_channels,H,W)\"",
                      line);
}

static void port_text(const ln_port *p, ln_text *t) {
  ln_text_add(t, "%s", p->name);
  if (!p->any_shape) {
    ln_text_add(t, "(");
    for (int i = 0; i < p->n_dims; i++)
      ln_text_add(t, "%s%s", i ? "," : "",
                  p->dims[i].kind == LN_DIM_ANY ? "..." : p->dims[i].word);
    ln_text_add(t, ")");
  }
  if (p->repeats) ln_text_add(t, "*");
}

void ln_signature_text(const ln_signature *s, char *buffer, size_t room) {
  ln_text t = { 0 };
  for (int i = 0; i < s->n_ports; i++) {
    ln_text_add(&t, i ? ", " : "");
    port_text(&s->ports[i], &t);
  }
  snprintf(buffer, room, "%s", ln_text_get(&t));
  ln_text_free(&t);
}

/* ---- matching ---- */

static int option_length(const ln_option *o, const void *self) {
  if (o->type == LN_T_INTS) return (int)(o->size / sizeof(int64_t));
  if (o->type != LN_T_LIST) return 1;
  ln_list list;
  memcpy(&list, (const char *)self + o->offset, sizeof list);
  return (int)list.count;
}

static int64_t option_at(const ln_option *o, const void *self, int i) {
  ln_value room[LN_MAX_DIMS];
  ln_value v = ln_options_value(o, self, room);
  if (v.kind == LN_VALUE_NUMBER) return (int64_t)v.number;
  return v.kind == LN_VALUE_LIST && i < v.count ? (int64_t)v.items[i].number
                                                : -1;
}

static void set_option(const ln_option *o, void *self, int i, int64_t size) {
  char *field = (char *)self + o->offset;
  if (o->type == LN_T_LIST) {
    ln_list list;
    memcpy(&list, field, sizeof list);
    list.at[i] = size;
    if (list.count <= i) list.count = i + 1;
    memcpy(field, &list, sizeof list);
  } else if (o->type == LN_T_INTS) {
    memcpy(field + i * 8, &size, sizeof size);
  } else if (o->size == sizeof(int32_t)) {
    int32_t small = (int32_t)size;
    memcpy(field, &small, sizeof small);
  } else {
    memcpy(field, &size, sizeof size);
  }
}

static int64_t *find_word(ln_bindings *b, const char *word) {
  for (int i = 0; i < b->n_words; i++)
    if (!strcmp(b->words[i], word)) return &b->sizes[i];
  return NULL;
}

/* How many dims the port's line takes without `...`; -1 where it is open. */
static int fixed_rank(const ln_port *p, const void *self, bool *has_rest) {
  int rank = 0;
  *has_rest = false;
  for (int i = 0; i < p->n_dims; i++) {
    const ln_dim *d = &p->dims[i];
    if (d->kind == LN_DIM_ANY)
      *has_rest = true;
    else
      rank += d->kind == LN_DIM_OPTION ? option_length(d->option, self) : 1;
  }
  return rank;
}

static ln_status wrong_rank(const ln_port *p, const ln_shape *x) {
  char shape[200];
  ln_text t = { 0 };
  port_text(p, &t);
  const char *remedy = "";
  if (x->rank == p->n_dims - 1 && !strcmp(p->dims[0].word, "N"))
    remedy =
        "\n  the first dim is the batch N: x:view{1, ...} makes a batch of "
        "one";
  else if (p->n_dims == 2 && x->rank > 2)
    remedy = "\n  try nn.flatten{} before it: it makes (N,features) of any "
             "shape";
  ln_status s = ln_set_error("expects %s, but %s is %s with %d dim%s%s",
                             ln_text_get(&t), p->name, ln_shape_text(x, shape),
                             x->rank, x->rank == 1 ? "" : "s", remedy);
  ln_text_free(&t);
  return s;
}

static ln_status wrong_size(const ln_port *p, const ln_dim *d, int64_t want,
                            const ln_shape *x, int at) {
  char shape[200];
  return ln_set_error(
      "%s = %" PRId64 ", but %s has %" PRId64 " there: %s (dim %d)", d->word,
      want, p->name, x->dim[at], ln_shape_text(x, shape), at + 1);
}

/* A dim that is an option, from dim `at` of x on. */
static ln_status match_option(const ln_port *p, const ln_dim *d,
                              const ln_shape *x, int at, void *self) {
  const ln_option *o = d->option;
  bool open = ln_option_is_open(o, self);
  int n = option_length(o, self);
  for (int i = 0; i < n; i++) {
    int64_t size = x->dim[at + i];
    if (open) {
      if (size < 1)
        return ln_set_error(
            "%s is taken from %s, but its size there is %" PRId64, d->word,
            p->name, size);
      set_option(o, self, i, size);
    } else if (option_at(o, self, i) != size) {
      return wrong_size(p, d, option_at(o, self, i), x, at + i);
    }
  }
  return LN_OK;
}

static ln_status match_word(const ln_port *p, const ln_dim *d,
                            const ln_shape *x, int at, ln_bindings *b) {
  int64_t *known = find_word(b, d->word);
  if (known && *known != x->dim[at]) return wrong_size(p, d, *known, x, at);
  if (known || b->n_words == 32) return LN_OK;
  memcpy(b->words[b->n_words], d->word, sizeof d->word);
  b->sizes[b->n_words++] = x->dim[at];
  return LN_OK;
}

static ln_status match_rest(const ln_port *p, const ln_shape *x, int at, int n,
                            ln_bindings *b) {
  char here[200], before[200];
  ln_shape seen = { .rank = b->rest_rank };
  bool same = b->has_rest && b->rest_rank == n;
  for (int i = 0; i < b->rest_rank; i++) seen.dim[i] = b->rest[i];
  for (int i = 0; same && i < n; i++) same = b->rest[i] == x->dim[at + i];
  if (b->has_rest && !same)
    return ln_set_error("the inputs must have one shape, but %s is %s where "
                        "the first is %s",
                        p->name, ln_shape_text(x, here),
                        ln_shape_text(&seen, before));
  b->has_rest = true;
  b->rest_rank = n;
  for (int i = 0; i < n; i++) b->rest[i] = x->dim[at + i];
  return LN_OK;
}

static ln_status match_port(const ln_port *p, const ln_shape *x, void *self,
                            ln_bindings *b) {
  if (p->any_shape) return LN_OK;
  bool has_rest;
  int fixed = fixed_rank(p, self, &has_rest);
  if (has_rest ? x->rank < fixed : x->rank != fixed) return wrong_rank(p, x);
  for (int i = 0, at = 0; i < p->n_dims; i++) {
    const ln_dim *d = &p->dims[i];
    ln_status s = LN_OK;
    int taken = 1;
    switch (d->kind) {
    case LN_DIM_ANY:
      taken = x->rank - fixed;
      s = match_rest(p, x, at, taken, b);
      break;
    case LN_DIM_NUMBER:
      if (x->dim[at] != d->number) s = wrong_size(p, d, d->number, x, at);
      break;
    case LN_DIM_WORD: s = match_word(p, d, x, at, b); break;
    case LN_DIM_OPTION:
      taken = option_length(d->option, self);
      s = match_option(p, d, x, at, self);
    }
    if (s) return s;
    at += taken;
  }
  return LN_OK;
}

ln_status ln_signature_match(const ln_signature *s, const ln_shape *x,
                             int64_t n_x, void *self, ln_bindings *b) {
  *b = (ln_bindings){ 0 };
  char line[400];
  bool repeats = s->n_ports && s->ports[s->n_ports - 1].repeats;
  if (repeats ? n_x < s->n_ports : n_x != s->n_ports) {
    ln_signature_text(s, line, sizeof line);
    return ln_set_error("expects %s%d input%s: %s, but got %" PRId64,
                        repeats ? "at least " : "", s->n_ports,
                        s->n_ports == 1 ? "" : "s", line, n_x);
  }
  for (int64_t i = 0; i < n_x; i++) {
    int64_t at = i < s->n_ports ? i : s->n_ports - 1;
    ln_port port = s->ports[at];
    if (port.repeats && n_x > 1)
      snprintf(port.name, sizeof port.name, "%.8s%d", s->ports[at].name,
               (int)(i % 1000) + 1);
    if (match_port(&port, &x[i], self, b)) return LN_FAILED;
  }
  return LN_OK;
}

void ln_signature_output(const ln_signature *s, int index, const void *self,
                         const ln_bindings *b, ln_shape *y) {
  const ln_port *p = &s->ports[index];
  *y = (ln_shape){ .rank = p->any_shape ? -1 : 0 };
  for (int i = 0; i < p->n_dims; i++) {
    const ln_dim *d = &p->dims[i];
    int n = d->kind == LN_DIM_OPTION ? option_length(d->option, self)
            : d->kind == LN_DIM_ANY  ? b->rest_rank
                                     : 1;
    for (int k = 0; k < n && y->rank < LN_MAX_DIMS; k++) {
      int64_t size = d->number;
      const int64_t *known;
      if (d->kind == LN_DIM_ANY) size = b->rest[k];
      if (d->kind == LN_DIM_OPTION) size = option_at(d->option, self, k);
      if (d->kind == LN_DIM_WORD)
        size = (known = find_word((ln_bindings *)(uintptr_t)b, d->word))
                   ? *known
                   : -1;
      y->dim[y->rank++] = size;
    }
  }
}
