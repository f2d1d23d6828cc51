/* sample.c - drawing options and shapes; see sample.h. */
#include "check/sample.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- dice: splitmix64 of Steele, Lea and Flood, 2014 ---- */

uint64_t ln_dice_next(ln_dice *d) {
  uint64_t z = d->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

int64_t ln_dice_between(ln_dice *d, int64_t low, int64_t high) {
  if (high <= low) return low;
  return low + (int64_t)(ln_dice_next(d) % (uint64_t)(high - low + 1));
}

double ln_dice_real(ln_dice *d) {
  return (double)(ln_dice_next(d) >> 11) / 9007199254740992.0;
}

/* The sum of four uniform numbers of 16 bits: one throw, no logarithm. */
double ln_dice_normal(ln_dice *d) {
  const uint64_t z = ln_dice_next(d);
  const double sum = (double)((z & 0xFFFF) + (z >> 16 & 0xFFFF) +
                              (z >> 32 & 0xFFFF) + (z >> 48));
  return (sum - 2 * 65535) / (65536 * sqrt(4 / 12.0));
}

/* ---- options ---- */

typedef struct drawing {
  const ln_known_layer *known;
  ln_dice dice;
  double tame;
  bool large;   /* many dims are */
  bool stretch; /* one dim is still to be very large */
  bool narrow;  /* the others are small then */
  ln_sample *sample;
  int n_words; /* sizes that words of the line have got */
  char words[32][32];
  int64_t sizes[32];
  int rest_rank; /* -1: `...` was not met yet */
  int64_t rest[LN_MAX_DIMS];
} drawing;

static int64_t small_whole(drawing *d, const ln_option *row) {
  const int64_t low = row->min > -LN_ANY ? (int64_t)ceil(row->min) : -3;
  const int64_t reach = low + (low < 1 ? 2 : 3);
  const int64_t high =
      row->max < (double)reach ? (int64_t)floor(row->max) : reach;
  if (low >= 1 && high >= 4 && ln_dice_between(&d->dice, 0, 2) == 0)
    return ln_dice_between(&d->dice, 1, 2) * 2; /* what groups may divide */
  return ln_dice_between(&d->dice, low, high);
}

static double some_real(drawing *d, const ln_option *row) {
  const double u = ln_dice_real(&d->dice);
  const bool low = row->min > -LN_ANY, high = row->max < LN_ANY;
  const bool known = fabs(row->fallback) < LN_ANY && row->fallback != 0;
  const bool free = ln_dice_between(&d->dice, 0, 2) == 0;
  double v = known && !free ? row->fallback * (0.5 + u) : u;
  if (low && high && row->max - row->min <= 2)
    v = row->min + u * (row->max - row->min);
  if (v < row->min) v = row->min;
  if (v > row->max) v = row->max;
  return v;
}

static ln_value number(double v) {
  return (ln_value){ .kind = LN_VALUE_NUMBER, .number = v };
}

static ln_value one_word(drawing *d, const char *words, char *room) {
  int64_t n = 1;
  for (const char *w = words; *w; w++) n += *w == '|';
  int64_t skip = ln_dice_between(&d->dice, 0, n - 1);
  const char *w = words;
  for (; skip > 0; skip--) w = strchr(w, '|') + 1;
  snprintf(room, 64, "%.*s", (int)strcspn(w, "|"), w);
  return (ln_value){ .kind = LN_VALUE_TEXT, .text = room };
}

/* Mostly one or two; at times up to two a dim, as pads are. */
static int64_t list_length(drawing *d) {
  return ln_dice_between(&d->dice, 1, ln_dice_between(&d->dice, 0, 1) ? 2 : 6);
}

static ln_value some_numbers(drawing *d, const ln_option *row, ln_value *room) {
  const bool list = row->type == LN_T_LIST;
  int64_t n = list ? list_length(d) : (int64_t)(row->size / 8);
  if (n > LN_MAX_DIMS) n = LN_MAX_DIMS;
  if (!list && ln_dice_between(&d->dice, 0, 1))
    return row->type == LN_T_REALS ? number(some_real(d, row))
                                   : number((double)small_whole(d, row));
  for (int64_t i = 0; i < n; i++)
    room[i] = number(row->type == LN_T_REALS ? some_real(d, row)
                                             : (double)small_whole(d, row));
  return (ln_value){ .kind = LN_VALUE_LIST, .items = room, .count = n };
}

static ln_value some_value(drawing *d, const ln_option *row, int at) {
  ln_sample *s = d->sample;
  switch (row->type) {
  case LN_T_BOOL:
    return (ln_value){ .kind = LN_VALUE_BOOL,
                       .truth = ln_dice_between(&d->dice, 0, 1) != 0 };
  case LN_T_CHOICE: return one_word(d, row->words, s->words[at]);
  case LN_T_TEXT:
    snprintf(s->words[at], sizeof s->words[at], "%s",
             row->text ? row->text : "");
    return (ln_value){ .kind = LN_VALUE_TEXT, .text = s->words[at] };
  case LN_T_REAL: return number(some_real(d, row));
  case LN_T_INT: return number((double)small_whole(d, row));
  default:
    if (row->words && ln_dice_between(&d->dice, 0, 3) == 0)
      return one_word(d, row->words, s->words[at]);
    return some_numbers(d, row, s->items[at]);
  }
}

static bool is_one_of(const char *words, const char *name) {
  const size_t n = strlen(name);
  for (const char *w = words; w && *w; w += strcspn(w, "|"), w += *w == '|')
    if (strcspn(w, "|") == n && !memcmp(w, name, n)) return true;
  return false;
}

/* Is the option among alternatives? Then the dice have chosen one of them. */
static bool is_alternative(const drawing *d, const ln_option *row,
                           const char *chosen, bool *given) {
  for (int64_t i = 0; i < d->known->n_options; i++) {
    const ln_option *o = &d->known->options[i];
    if (o->type != LN_T_ONE_OF || !is_one_of(o->words, row->name)) continue;
    *given = !strcmp(chosen, row->name);
    return true;
  }
  return false;
}

static void choose_alternative(drawing *d, char *chosen) {
  chosen[0] = 0;
  for (int64_t i = 0; i < d->known->n_options; i++)
    if (d->known->options[i].type == LN_T_ONE_OF)
      one_word(d, d->known->options[i].words, chosen);
}

static void draw_options(drawing *d) {
  char chosen[64];
  ln_sample *s = d->sample;
  choose_alternative(d, chosen);
  for (int64_t i = 0; i < d->known->n_options; i++) {
    const ln_option *row = &d->known->options[i];
    if (row->type == LN_T_ONE_OF || s->n_options == LN_MOST_OPTIONS) continue;
    bool given = ln_dice_real(&d->dice) > 0.4 + 0.6 * d->tame;
    if (row->type == LN_T_TEXT) given = false;
    if (!is_alternative(d, row, chosen, &given) && row->fallback == LN_REQUIRED)
      given = true;
    if (!given) continue;
    const int at = s->n_options++;
    s->options[at] = (ln_named_value){ row->name, some_value(d, row, at) };
  }
}

/* ---- shapes ---- */

static const ln_value *given_value(const ln_sample *s, const char *name) {
  for (int i = 0; i < s->n_options; i++)
    if (!strcmp(s->options[i].name, name)) return &s->options[i].value;
  return NULL;
}

static int64_t some_size(drawing *d, bool first) {
  if (first) return ln_dice_between(&d->dice, 1, 4);
  if (d->stretch && ln_dice_between(&d->dice, 0, 2) == 0) {
    d->stretch = false;
    return ln_dice_between(&d->dice, 200, 700); /* several blocks long */
  }
  if (d->narrow) return ln_dice_between(&d->dice, 1, 3);
  if (ln_dice_between(&d->dice, 0, d->large ? 1 : 9) == 0)
    return ln_dice_between(&d->dice, 12, 40); /* beyond blocks and vectors */
  const int64_t low = d->tame > 0.5 ? 4 : 1;
  return ln_dice_between(&d->dice, low, low + 6);
}

static int64_t size_of_word(drawing *d, const char *word, bool first) {
  for (int i = 0; i < d->n_words; i++)
    if (!strcmp(d->words[i], word)) return d->sizes[i];
  const int64_t size = some_size(d, first);
  if (d->n_words < 32) {
    snprintf(d->words[d->n_words], sizeof d->words[0], "%s", word);
    d->sizes[d->n_words++] = size;
  }
  return size;
}

static void add_dim(ln_shape *s, int64_t size) {
  if (s->rank < LN_MAX_DIMS) s->dim[s->rank++] = size;
}

static void add_option(drawing *d, const ln_dim *dim, ln_shape *s) {
  const ln_value *v = given_value(d->sample, dim->word);
  const ln_option *row = dim->option;
  if (!v && row && row->fallback > -LN_ANY && row->fallback < LN_ANY)
    add_dim(s, (int64_t)row->fallback);
  else if (!v || v->kind == LN_VALUE_TEXT)
    add_dim(s, size_of_word(d, dim->word, s->rank == 0));
  else if (v->kind == LN_VALUE_NUMBER)
    add_dim(s, (int64_t)v->number);
  else
    for (int64_t i = 0; i < v->count; i++)
      add_dim(s, (int64_t)v->items[i].number);
}

static void add_rest(drawing *d, const ln_port *port, ln_shape *s) {
  if (d->rest_rank < 0) {
    d->rest_rank = (int)ln_dice_between(&d->dice, port->n_dims == 1, 4);
    for (int i = 0; i < d->rest_rank; i++)
      d->rest[i] = some_size(d, s->rank + i == 0);
  }
  for (int i = 0; i < d->rest_rank; i++) add_dim(s, d->rest[i]);
}

static ln_shape shape_of(drawing *d, const ln_port *port) {
  ln_shape s = { 0 };
  for (int i = 0; i < port->n_dims; i++) {
    const ln_dim *dim = &port->dims[i];
    if (dim->kind == LN_DIM_NUMBER)
      add_dim(&s, dim->number);
    else if (dim->kind == LN_DIM_OPTION)
      add_option(d, dim, &s);
    else if (dim->kind == LN_DIM_ANY)
      add_rest(d, port, &s);
    else
      add_dim(&s, size_of_word(d, dim->word, s.rank == 0));
  }
  return s;
}

/* Of any shape: all alike but, at times, for one dim. */
static ln_shape any_shape(drawing *d, const ln_shape *first) {
  ln_shape s = { 0 };
  if (first) {
    s = *first;
    const int64_t dim = ln_dice_between(&d->dice, 1, s.rank - 1);
    if (d->tame < 0.5) s.dim[dim] = some_size(d, false);
    return s;
  }
  const int64_t rank = ln_dice_between(&d->dice, 2, 4);
  for (int64_t i = 0; i < rank; i++) add_dim(&s, some_size(d, i == 0));
  return s;
}

static void draw_shapes(drawing *d) {
  ln_sample *s = d->sample;
  const ln_signature *line = &d->known->inputs;
  for (int p = 0; p < line->n_ports; p++) {
    const ln_port *port = &line->ports[p];
    int64_t n = port->repeats ? ln_dice_between(&d->dice, 1, 3) : 1;
    const int first = s->n_x;
    for (; n > 0 && s->n_x < LN_MAX_PORTS; n--) {
      s->x[s->n_x] = port->any_shape
                         ? any_shape(d, s->n_x > first ? &s->x[first] : NULL)
                         : shape_of(d, port);
      s->n_x++;
    }
  }
}

void ln_sample_draw(const ln_known_layer *k, uint64_t seed, double tame,
                    ln_sample *out) {
  *out = (ln_sample){ 0 };
  drawing d = { .known = k,
                .dice = { seed * 0x2545F4914F6CDD1Du },
                .tame = tame,
                .sample = out,
                .rest_rank = -1 };
  d.large = ln_dice_between(&d.dice, 0, 6) == 0;
  d.stretch = d.narrow = ln_dice_between(&d.dice, 0, 4) == 0;
  draw_options(&d);
  draw_shapes(&d);
}

/* ---- in words ---- */

static void add_value(ln_text *t, const ln_value *v) {
  switch (v->kind) {
  case LN_VALUE_BOOL: ln_text_add(t, v->truth ? "true" : "false"); break;
  case LN_VALUE_NUMBER: ln_text_add(t, "%.9g", v->number); break;
  case LN_VALUE_TEXT: ln_text_add(t, "\"%s\"", v->text); break;
  default:
    ln_text_add(t, "{");
    for (int64_t i = 0; i < v->count; i++) {
      ln_text_add(t, i ? ", " : "");
      add_value(t, &v->items[i]);
    }
    ln_text_add(t, "}");
  }
}

void ln_sample_text(const ln_known_layer *k, const ln_sample *s, char *buffer,
                    size_t room) {
  ln_text t = { 0 };
  char shape[200];
  ln_text_add(&t, "nn.%s{", k->layer.name);
  for (int i = 0; i < s->n_options; i++) {
    ln_text_add(&t, "%s%s = ", i ? ", " : " ", s->options[i].name);
    add_value(&t, &s->options[i].value);
  }
  ln_text_add(&t, s->n_options ? " } on " : "} on ");
  for (int i = 0; i < s->n_x; i++)
    ln_text_add(&t, "%s%s", i ? ", " : "", ln_shape_text(&s->x[i], shape));
  snprintf(buffer, room, "%s", ln_text_get(&t));
  ln_text_free(&t);
}
