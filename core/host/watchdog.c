/* watchdog.c - names a call of a layer that runs for long: perhaps it never
 * ends. A thread looks at all stations now and then; computing is not slowed
 * down by it. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "host/activity.h"

static double patience; /* seconds; what is looked for */

/* What was seen of a station: the same count means the same call. */
typedef struct sighting {
  uint64_t count;
  int looks;
} sighting;

enum { LOOKS = 10 }; /* within the patience */

static void tell(const ln_activity *a) {
  static char text[4000];
  size_t n = ln_activity_text(a, NULL, text, sizeof text);
  fprintf(stderr,
          "lunet: a call has been running for %g seconds, %.*s"
          "  Ctrl-C twice ends the program\n",
          patience, (int)n, text);
}

static void look_at(ln_station *station, sighting *seen) {
  uint64_t count = station->count;
  if (count != seen->count || !station->now) {
    *seen = (sighting){ count, 0 };
    return;
  }
  if (++seen->looks != LOOKS) return;
  station->held = true;
  if (station->count == count && station->now) tell(station->now);
  station->held = false;
}

static void *watch(void *unused) {
  (void)unused;
  static sighting seen[LN_MAX_THREADS];
  double pause = patience / LOOKS;
  struct timespec rest = { (time_t)pause,
                           (long)(1e9 * (pause - (double)(time_t)pause)) };
  for (;;) {
    nanosleep(&rest, NULL);
    for (int i = 0; i < LN_MAX_THREADS; i++) look_at(&ln_stations[i], &seen[i]);
  }
  return NULL;
}

/* Signals are for other threads. */
ln_status ln_watch_calls(double seconds) {
  if (patience > 0) return ln_set_error("calls are watched already");
  sigset_t all, mask;
  pthread_t thread;
  patience = seconds;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  int error = pthread_create(&thread, NULL, watch, NULL);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  if (error) return ln_set_error("no thread to watch the calls can be made");
  pthread_detach(thread);
  return LN_OK;
}
