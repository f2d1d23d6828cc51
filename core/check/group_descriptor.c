/* group_descriptor.c - the table that describes a layer. */
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/checking.h"
#include "host/options.h"

static bool is_empty(const char *s) {
  return !s || !*s;
}

static void check_texts(ln_checking *c) {
  const ln_layer *l = &c->known->layer;
  if (is_empty(l->brief))
    ln_report(c, "descriptor.texts", "brief is missing");
  else if (strchr(l->brief, '\n') || l->brief[strlen(l->brief) - 1] == '.')
    ln_report(c, "descriptor.texts",
              "brief is to be one line without a full stop: \"%s\"", l->brief);
  if (is_empty(l->formula))
    ln_report(c, "descriptor.texts", "formula is missing");
  if (is_empty(l->example))
    ln_report(c, "descriptor.texts", "example is missing");
  for (int64_t i = 0; i < c->known->n_options; i++)
    if (c->known->options[i].type != LN_T_ONE_OF &&
        is_empty(c->known->options[i].help))
      ln_report(c, "descriptor.texts", "option %s has no help",
                c->known->options[i].name);
}

/* ---- options ---- */

static bool is_mark(double v) {
  return v == LN_REQUIRED || v == LN_UNSET || v == LN_FROM_INPUT;
}

static bool has_word(const char *words, const char *word) {
  const size_t n = strlen(word);
  for (const char *w = words; w && *w; w += strcspn(w, "|"), w += *w == '|')
    if (strcspn(w, "|") == n && !memcmp(w, word, n)) return true;
  return false;
}

static void check_default(ln_checking *c, const ln_option *o) {
  const bool numeric = o->type == LN_T_INT || o->type == LN_T_REAL ||
                       o->type == LN_T_INTS || o->type == LN_T_LIST;
  if (o->min > o->max)
    ln_report(c, "descriptor.options", "option %s: min %g > max %g", o->name,
              o->min, o->max);
  if (numeric && !is_mark(o->fallback) && isnan(o->fallback))
    ln_report(c, "descriptor.options", "option %s: its default is no number",
              o->name);
  if (numeric && !is_mark(o->fallback) &&
      (o->fallback < o->min || o->fallback > o->max))
    ln_report(c, "descriptor.options",
              "option %s: its default %g is not from %g to %g", o->name,
              o->fallback, o->min, o->max);
  if (o->type == LN_T_CHOICE && !has_word(o->words, o->text))
    ln_report(c, "descriptor.options",
              "option %s: its default \"%s\" is none of \"%s\"", o->name,
              o->text, o->words);
}

static size_t unit_of(const ln_option *o) {
  switch (o->type) {
  case LN_T_LIST: return sizeof(ln_list);
  case LN_T_TEXT: return sizeof(char *);
  case LN_T_INTS:
  case LN_T_REALS: return 8;
  case LN_T_CHOICE: return sizeof(int);
  case LN_T_BOOL: return 1;
  default: return 4;
  }
}

static void check_field(ln_checking *c, const ln_option *o) {
  const size_t unit = unit_of(o), step = unit < 8 ? unit : 8;
  if (!o->size || o->size % unit || o->offset % step)
    ln_report(c, "descriptor.options",
              "option %s: a field of %" PRIu32 " bytes at %" PRIu32
              " cannot be of its kind",
              o->name, o->size, o->offset);
}

static void check_pair(ln_checking *c, const ln_option *a, const ln_option *b) {
  if (!strcmp(a->name, b->name))
    ln_report(c, "descriptor.options", "two options are called %s", a->name);
  if (a->offset < b->offset + b->size && b->offset < a->offset + a->size)
    ln_report(c, "descriptor.options", "options %s and %s share memory",
              a->name, b->name);
}

static bool is_option(const ln_checking *c, const char *name, size_t length) {
  for (int64_t i = 0; i < c->known->n_options; i++) {
    const char *own = c->known->options[i].name;
    if (own && strlen(own) == length && !memcmp(own, name, length)) return true;
  }
  return false;
}

static void check_names(ln_checking *c, const ln_option *o) {
  if (o->type == LN_T_INTS && o->text &&
      !is_option(c, o->text, strlen(o->text)))
    ln_report(c, "descriptor.options",
              "option %s takes its default from %s, which is no option",
              o->name, o->text);
  for (const char *w = o->type == LN_T_ONE_OF ? o->words : NULL; w && *w;
       w += strcspn(w, "|"), w += *w == '|')
    if (!is_option(c, w, strcspn(w, "|")))
      ln_report(c, "descriptor.options",
                "the alternatives \"%s\" name what is no option", o->words);
}

static bool is_dim(const ln_signature *s, const char *word) {
  for (int p = 0; p < s->n_ports; p++)
    for (int d = 0; d < s->ports[p].n_dims; d++)
      if (!strcmp(s->ports[p].dims[d].word, word)) return true;
  return false;
}

static void check_options(ln_checking *c) {
  const ln_known_layer *k = c->known;
  for (int64_t i = 0; i < k->n_options; i++) {
    const ln_option *o = &k->options[i];
    check_names(c, o);
    if (o->type == LN_T_ONE_OF) continue;
    check_default(c, o);
    check_field(c, o);
    if (o->fallback == LN_FROM_INPUT && !is_dim(&k->inputs, o->name))
      ln_report(c, "descriptor.options",
                "option %s is to come from the input, but `inputs` does not "
                "name it",
                o->name);
    for (int64_t j = 0; j < i; j++)
      if (k->options[j].type != LN_T_ONE_OF) check_pair(c, o, &k->options[j]);
  }
}

/* ---- shapes, methods, reserved ---- */

static void check_shapes(ln_checking *c) {
  const ln_layer *l = &c->known->layer;
  const ln_signature *out = &c->known->outputs;
  const bool single = out->n_ports == 1 && !out->ports[0].any_shape &&
                      out->ports[0].n_dims == 0;
  if (l->kind == LN_LOSS && !single)
    ln_report(c, "descriptor.shapes",
              "a loss gives a single number, but outputs are \"%s\"",
              l->outputs);
  if (l->kind == LN_LOSS && c->known->inputs.n_ports < 2)
    ln_report(c, "descriptor.shapes",
              "a loss has a prediction and a target, but inputs are \"%s\"",
              l->inputs);
  if (!l->backward) ln_remark(c, "descriptor.shapes", "it has no backward");
}

enum { known_sets = LN_CPU_AVX2_FMA | LN_CPU_AVX512 | LN_CPU_NEON };

static void check_method(ln_checking *c, const ln_kernel *k, int64_t index) {
  const ln_layer *l = &c->known->layer;
  const char *name = k->method ? k->method : "";
  const int parts = (k->forward_partial != NULL) + (k->forward_reduce != NULL) +
                    (k->backward_partial != NULL) +
                    (k->backward_reduce != NULL);
  if (!*name)
    ln_report(c, "descriptor.methods", "row %" PRId64 " has no name", index);
  if (!strcmp(name, "textbook") || !strcmp(name, "auto"))
    ln_report(c, "descriptor.methods",
              "a row is called \"%s\", which is the host's own word", name);
  for (int64_t i = 0; i < index; i++)
    if (c->known->kernels[i].method && *name &&
        c->known->kernels[i].isa == k->isa &&
        c->known->kernels[i].plan == k->plan &&
        !strcmp(c->known->kernels[i].method, name))
      ln_report(c, "descriptor.methods",
                "two rows are called \"%s\", with the same needs", name);
  if (parts != 0 && parts != 4)
    ln_report(c, "descriptor.methods",
              "\"%s\" has %d of the four functions of a pass in parts", name,
              parts);
  if (parts && !k->per_sample)
    ln_report(c, "descriptor.methods",
              "\"%s\" has passes in parts, but is not per_sample", name);
  if (k->isa & ~(uint64_t)known_sets)
    ln_report(c, "descriptor.methods",
              "\"%s\" needs an unknown instruction set, isa 0x%" PRIx64
              ", and is never used",
              name, k->isa);
  if (k->activations &
      ~(LN_ACCEPTS(LN_IS_RELU) | LN_ACCEPTS(LN_IS_CHANNEL_AFFINE)))
    ln_report(c, "descriptor.methods",
              "\"%s\" accepts an unknown activation, 0x%" PRIx32, name,
              k->activations);
  if (k->activations && !(l->traits & LN_FORGETS_Y))
    ln_report(c, "descriptor.methods",
              "\"%s\" takes an activation, which needs LN_FORGETS_Y", name);
}

static void check_methods(ln_checking *c) {
  for (int64_t i = 0; i < c->known->n_kernels; i++)
    check_method(c, &c->known->kernels[i], i);
}

static void check_reserved(ln_checking *c) {
  const ln_layer *l = &c->known->layer;
  const uint32_t known_traits = 2 * LN_RESHAPES - 1;
  for (int64_t i = 0; i < c->known->n_options; i++)
    if (c->known->options[i].flags)
      ln_report(c, "descriptor.reserved", "the flags of option %s are not 0",
                c->known->options[i].name);
  if (l->traits & ~known_traits)
    ln_remark(c, "descriptor.reserved", "unknown traits: 0x%" PRIx32,
              l->traits & ~known_traits);
  if (c->known->library->plugin.reserved)
    ln_report(c, "descriptor.reserved", "a reserved field is not 0");
  if (l->is < LN_IS_OPAQUE || l->is > LN_IS_CHANNEL_AFFINE)
    ln_remark(c, "descriptor.reserved", "`is` has an unknown meaning: %d",
              l->is);
}

/* ---- the example ---- */

/* Runs the line in a Lunet of its own; the last lines that it prints come
 * back. */
static int run_example(const ln_checking *c, char *said, size_t room) {
  char program[PATH_MAX], code[4000];
  const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  program[n > 0 ? n : 0] = 0;
  snprintf(code, sizeof code, "lunet.plugins.load[==[%s]==] local _ = %s",
           c->path, c->known->layer.example);
  int ends[2], status = 1;
  if (pipe(ends)) return 0;
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    alarm(20);
    execl(program, program, "-e", code, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  size_t used = 0;
  ssize_t got;
  while ((got = read(ends[0], said + used, room - 1 - used)) > 0)
    used += (size_t)got;
  said[used] = 0;
  close(ends[0]);
  waitpid(child, &status, 0);
  return status;
}

static void check_example(ln_checking *c) {
  char said[400];
  if (is_empty(c->known->layer.example)) return;
  const int status = run_example(c, said, sizeof said);
  if (!status) return;
  ln_report(c, "descriptor.example", "%s does not run: %.300s",
            c->known->layer.example, said);
}

void ln_group_descriptor(ln_checking *c) {
  check_texts(c);
  check_options(c);
  check_shapes(c);
  check_methods(c);
  check_reserved(c);
  check_example(c);
}
