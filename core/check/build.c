/* build.c - a call of the C compiler; see build.h. */
#include "check/build.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

static char folder[PATH_MAX];

static ln_status make_folder(void) {
  if (folder[0]) return LN_OK;
  const char *where = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/lunet-check-XXXXXX",
           where && *where ? where : "/tmp");
  if (mkdtemp(folder)) return LN_OK;
  folder[0] = 0;
  return ln_set_error("no temporary folder can be made");
}

/* The folder with lunet/plugin.h: of the source tree beside the build folder,
 * or where it was installed. */
static bool find_header(char *out, size_t room) {
  static const char *const places[] = { "../core/include", "../include" };
  char program[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  if (n <= 0) return false;
  program[n] = 0;
  const char *base = dirname(program);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    ln_text header = { 0 };
    ln_text_add(&header, "%s/%s/lunet/plugin.h", base, places[i]);
    const bool found = !access(ln_text_get(&header), R_OK);
    ln_text_free(&header);
    if (found) snprintf(out, room, "%s/%s", base, places[i]);
    if (found) return true;
  }
  return false;
}

static int run(char *const *words) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    execvp(words[0], words);
    fprintf(stderr, "lunet: no compiler '%s'; set CC\n", words[0]);
    _exit(127);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status;
}

/* Splits at spaces, in place. */
static int add_words(char **words, int n, int most, char *text) {
  for (char *w = strtok(text, " "); w && n < most; w = strtok(NULL, " "))
    words[n++] = w;
  return n;
}

static ln_status compile(const char *source, const char *more,
                         const char *include, const char *path) {
  const char *cc = getenv("CC");
  char compiler[400], extra[400];
  char *words[40];
  snprintf(compiler, sizeof compiler, "%s", cc && *cc ? cc : "cc");
  snprintf(extra, sizeof extra, "%s", more);
  int n = add_words(words, 0, 16, compiler);
  static const char *const always[] = { "-shared", "-fPIC", "-O2", "-g" };
  for (size_t i = 0; i < sizeof always / sizeof *always; i++)
    words[n++] = (char *)(uintptr_t)always[i];
  n = add_words(words, n, 30, extra);
  const char *const rest[] = { include, source, "-o", path, "-lm", NULL };
  for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
    words[n++] = (char *)(uintptr_t)rest[i];
  return run(words) ? ln_set_error("%s does not compile", source) : LN_OK;
}

ln_status ln_build_plugin(const char *source, const char *more, char *path,
                          size_t room) {
  char header[PATH_MAX], include[PATH_MAX + 2], copy[PATH_MAX];
  if (make_folder()) return LN_FAILED;
  if (!find_header(header, sizeof header))
    return ln_set_error("the header lunet/plugin.h was not found");
  snprintf(include, sizeof include, "-I%s", header);
  snprintf(copy, sizeof copy, "%s", source);
  char *name = basename(copy);
  char *dot = strrchr(name, '.');
  if (dot) *dot = 0;
  snprintf(path, room, "%s/%s.so", folder, name);
  return compile(source, more, include, path);
}

void ln_remove_built(void) {
  if (!folder[0]) return;
  char *words[] = { "rm", "-rf", folder, NULL };
  run(words);
  folder[0] = 0;
}
