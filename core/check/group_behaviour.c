/* group_behaviour.c - does a layer keep its hands off the process, and stop
 * when the user says so? */
#include <string.h>

#include "base/threads.h"
#include "check/surroundings.h"
#include "check/trial.h"

static void compare(ln_checking *c, const ln_surroundings *before,
                    const char *when) {
  ln_surroundings after;
  ln_look_around(&after);
  const char *changed = ln_what_changed(before, &after);
  if (changed) ln_report(c, "behaviour.environment", "%s: %s", when, changed);
  if (after.printed > before->printed)
    ln_report(c, "behaviour.prints", "%s: %" PRId64 " bytes", when,
              after.printed - before->printed);
}

static void check_surroundings(ln_checking *c, ln_sample *s, int number,
                               const char *method) {
  ln_trial t;
  const ln_way way = { 0 };
  ln_surroundings before;
  ln_look_around(&before);
  if (!ln_trial_draw(&t, c, s, number, method)) return;
  compare(c, &before, "create, params or infer changes or prints");
  ln_trial_forward(&t, &way);
  compare(c, &before, "forward changes or prints");
  if (!t.refused && ln_trial_has_backward(&t)) ln_trial_backward(&t, &way);
  compare(c, &before, "backward changes or prints");
  ln_trial_close(&t);
  compare(c, &before, "destroy changes or prints");
}

/* ---- Ctrl-C ---- */

static bool was_cut; /* a parallel_for was asked for, and cut short */

static ln_status cut_short(const ln_call *call, int64_t n, int64_t grain,
                           ln_body body, void *arg) {
  (void)call, (void)n, (void)grain, (void)body, (void)arg;
  was_cut = true;
  return LN_CANCELLED;
}

/* Every parallel_for skips its pieces and says so; the pass must say so,
 * too. */
static void check_cancel(ln_checking *c, ln_sample *s, const char *method) {
  ln_trial t;
  if (!ln_trial_draw(&t, c, s, 0, method)) return;
  const ln_way way = { 0 };
  const ln_way cut = { .cancelled = true };
  ln_trial_forward(&t, &way);
  t.instance->host->parallel_for = cut_short;
  was_cut = false;
  if (ln_trial_forward(&t, &cut) && was_cut)
    ln_report(c, "behaviour.cancel",
              "forward succeeds, though parallel_for was cancelled");
  was_cut = false;
  if (ln_trial_has_backward(&t) && ln_trial_backward(&t, &cut) && was_cut)
    ln_report(c, "behaviour.cancel",
              "backward succeeds, though parallel_for was cancelled");
  ln_trial_close(&t);
}

void ln_group_behaviour(ln_checking *c) {
  ln_sample s;
  ln_set_num_threads(1);
  const char *method;
  for (int m = 0; (method = ln_trial_method(c, m)); m++) {
    for (int i = 0; i < c->samples; i++) check_surroundings(c, &s, i, method);
    check_cancel(c, &s, method);
  }
}
