/* surroundings.c - a picture of the process; see surroundings.h. */
#include "check/surroundings.h"

#include <dirent.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/denormals.h"

static int count_entries(const char *folder) {
  DIR *d = opendir(folder);
  int n = 0;
  while (d && readdir(d)) n++;
  if (d) closedir(d);
  return n;
}

void ln_look_around(ln_surroundings *s) {
  *s = (ln_surroundings){ .rounding = fegetround(),
                          .files = count_entries("/proc/self/fd"),
                          .threads = count_entries("/proc/self/task"),
                          .denormals = ln_denormals_setting() };
  const char *locale = setlocale(LC_ALL, NULL);
  snprintf(s->locale, sizeof s->locale, "%s", locale ? locale : "");
  if (!getcwd(s->folder, sizeof s->folder)) s->folder[0] = 0;
  for (int number = 1; number < 32; number++) {
    struct sigaction action;
    if (!sigaction(number, NULL, &action))
      s->handlers[number] = (void *)(uintptr_t)action.sa_handler;
  }
  fflush(stdout);
  s->printed = lseek(STDOUT_FILENO, 0, SEEK_END);
}

const char *ln_what_changed(const ln_surroundings *before,
                            const ln_surroundings *after) {
  if (before->rounding != after->rounding) return "the rounding mode";
  if (before->denormals != after->denormals)
    return "how the processor treats denormal numbers";
  if (strcmp(before->locale, after->locale)) return "the locale";
  if (strcmp(before->folder, after->folder)) return "the current folder";
  if (memcmp(before->handlers, after->handlers, sizeof before->handlers))
    return "the handler of a signal";
  if (before->files != after->files) return "the number of open files";
  if (before->threads != after->threads) return "the number of threads";
  return NULL;
}
