/* sanitizer.c - a plugin built with the sanitizers; see sanitizer.h.
 *
 * AddressSanitizer's runtime must come first in a process, so the program
 * starts itself anew with the runtime preloaded. The groups that only compute
 * run there; what the sanitizer says becomes a finding. */
#include "check/sanitizer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/build.h"

#define ARGUMENTS                                                              \
  "-fsanitize=address,undefined -fno-sanitize-recover=undefined "              \
  "-fno-omit-frame-pointer -DLN_SANITIZED"

/* The path that the compiler knows its runtime by. */
static bool find_runtime(char *path, size_t room) {
  const char *cc = getenv("CC");
  char command[500];
  snprintf(command, sizeof command, "%s -print-file-name=libasan.so",
           cc && *cc ? cc : "cc");
  FILE *p = popen(command, "r");
  if (!p) return false;
  char *line = fgets(path, (int)room, p);
  pclose(p);
  if (!line) return false;
  path[strcspn(path, "\n")] = 0;
  return path[0] == '/' && !access(path, R_OK);
}

/* Both channels of the run; true: it ended as it should. */
static bool run(const char *runtime, const char *plugin, const char *group,
                uint64_t seed, char *said, size_t room) {
  char program[PATH_MAX], number[32];
  const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  program[n > 0 ? n : 0] = 0;
  snprintf(number, sizeof number, "%" PRIu64, seed);
  int ends[2], status = 1;
  if (pipe(ends)) return true;
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    setenv("LD_PRELOAD", runtime, 1);
    setenv("ASAN_OPTIONS",
           "detect_leaks=0:allocator_may_return_null=1:halt_on_error=1", 1);
    setenv("LUNET_CHECK_SANITIZED", "1", 1);
    execl(program, program, "check-plugin", plugin, "--only", group, "--seed",
          number, (char *)NULL);
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
  return !strstr(said, "ERROR: AddressSanitizer") &&
         !strstr(said, "runtime error:");
}

/* From the sanitizer's own line to its end. */
static void report(const char *said, ln_findings *found) {
  ln_finding f = { .severity = LN_FAULT,
                   .check = "sanitizer.clean",
                   .group = "sanitizer" };
  const char *line = strstr(said, "ERROR: AddressSanitizer");
  if (!line) line = strstr(said, "runtime error:");
  const int n = line ? (int)strcspn(line, "\n") : 0;
  snprintf(f.what, sizeof f.what, "%.*s", n, line ? line : "");
  const char *place = line ? strstr(line, ".c:") : NULL;
  if (place) {
    const char *begin = place;
    while (begin > said && begin[-1] != ' ' && begin[-1] != '\n') begin--;
    snprintf(f.where, sizeof f.where, "%.*s", (int)strcspn(begin, " \n"),
             begin);
  }
  ln_findings_add(found, &f);
}

static void remark(const char *what, ln_findings *found) {
  ln_finding f = { .severity = LN_REMARK,
                   .check = "sanitizer.clean",
                   .group = "sanitizer" };
  snprintf(f.what, sizeof f.what, "%s", what);
  ln_findings_add(found, &f);
}

void ln_check_sanitized(const char *source, uint64_t seed, ln_findings *found) {
  static const char *const groups[] = { "memory", "numbers" };
  static char said[1 << 16];
  char runtime[PATH_MAX], plugin[PATH_MAX];
  if (!find_runtime(runtime, sizeof runtime)) {
    remark("the compiler has no AddressSanitizer here", found);
    return;
  }
  if (ln_build_plugin(source, ARGUMENTS, plugin, sizeof plugin)) {
    remark("it does not compile with the sanitizers", found);
    return;
  }
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
    if (!run(runtime, plugin, groups[i], seed, said, sizeof said)) {
      report(said, found);
      return;
    }
}
