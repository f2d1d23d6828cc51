/* build.c - a place for what is compiled; see build.h. */
#include "check/build.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/temporary.h"

static ln_compiler compile;
static void *compile_arg;

static char folder[PATH_MAX];
static int n_built;

void ln_build_with(ln_compiler compiler, void *arg) {
  compile = compiler;
  compile_arg = arg;
}

bool ln_is_source(const char *name) {
  static const char *const suffixes[] = { ".c", ".cpp", ".cc", ".cxx" };
  const char *dot = strrchr(name, '.');
  for (size_t i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++)
    if (!strcmp(dot, suffixes[i])) return true;
  return false;
}

static ln_status make_folder(void) {
  if (folder[0]) return LN_OK;
  snprintf(folder, sizeof folder, "%s/lunet-check-XXXXXX",
           ln_temporary_place());
  if (mkdtemp(folder)) return LN_OK;
  folder[0] = 0;
  return ln_set_error("no temporary folder can be made in %s",
                      ln_temporary_place());
}

/* 1.so, 2.so, ...: sources of one name from several folders do not meet. */
static void name_plugin(int number, char *path, size_t room) {
  snprintf(path, room, "%.4000s/%d.so", folder, number);
}

ln_status ln_build_plugin(const char *source, const char *more, char *path,
                          size_t room) {
  if (make_folder()) return LN_FAILED;
  name_plugin(++n_built, path, room);
  return compile(compile_arg, source, path, more);
}

void ln_remove_built(void) {
  char path[PATH_MAX];
  if (!folder[0]) return;
  for (; n_built > 0; n_built--) {
    name_plugin(n_built, path, sizeof path);
    unlink(path);
  }
  rmdir(folder);
  folder[0] = 0;
}
