/* group_options.c - options drawn from the table: is something accepted, and
 * are refusals explained? */
#include <string.h>

#include "check/trial.h"
#include "check/watch.h"

static void check_sentence(ln_checking *c) {
  const char *e = ln_error();
  const size_t n = strlen(e);
  if (!n || (n > 0 && e[n - 1] == '\n'))
    ln_report(c, "options.sentence", "a refusal is no sentence: \"%s\"", e);
  if (strstr(e, "0x7f"))
    ln_report(c, "options.sentence", "a refusal tells an address: \"%s\"", e);
}

/* ln_trial_open reports refusals without a sentence by itself. */
static bool try_sample(ln_checking *c, uint64_t seed, double tame) {
  ln_sample s;
  ln_trial t;
  ln_sample_draw(c->known, seed, tame, &s);
  const bool good = ln_trial_open(&t, c, &s, NULL);
  if (good)
    ln_trial_close(&t);
  else
    check_sentence(c);
  return good;
}

static void try_samples(ln_checking *c) {
  const int n = 20 * c->samples;
  int accepted = 0;
  for (int i = 0; i < n; i++)
    accepted +=
        try_sample(c, c->seed * 7919u + (uint64_t)i, (double)i / (double)n);
  if (!accepted)
    ln_report(c, "options.accepted", "%d of %d are refused; the last: %.300s",
              n, n, ln_error());
}

/* Two instances with the same options must end up with the same struct, as
 * far as the options in it go. */
static void compare_options(ln_checking *c, const ln_trial *a,
                            const ln_trial *b) {
  const ln_known_layer *k = c->known;
  for (int64_t i = 0; i < k->n_options; i++) {
    const ln_option *o = &k->options[i];
    if (o->type == LN_T_ONE_OF || o->type == LN_T_TEXT) continue;
    if (memcmp((char *)a->instance->self + o->offset,
               (char *)b->instance->self + o->offset, o->size))
      ln_report(c, "options.create",
                "the same options make another %s the second time", o->name);
  }
  if (a->n_w != b->n_w || a->n_state != b->n_state)
    ln_report(c, "options.create",
              "the same options make other weights the second time");
}

static void create_twice(ln_checking *c) {
  ln_sample s;
  ln_trial a, b;
  for (int i = 0; i < c->samples; i++) {
    if (!ln_trial_draw(&a, c, &s, i, NULL)) continue;
    if (ln_trial_open(&b, c, &s, NULL)) {
      compare_options(c, &a, &b);
      ln_trial_close(&b);
    } else {
      ln_report(c, "options.create", "the same options are refused: %s",
                ln_error());
    }
    ln_trial_close(&a);
  }
}

void ln_group_options(ln_checking *c) {
  try_samples(c);
  create_twice(c);
}
