/* program_path.c - loaded into the emulated program, it answers who asks
 * /proc/self/exe with the script that starts the program (LUNET_PROGRAM_PATH).
 *
 * The kernel cannot start a program of another processor; the script can. So
 * a Lunet that starts a Lunet works as it does on the processor itself. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The emulator has set it for this program; its children are none of it. */
__attribute__((constructor)) static void leave_children_alone(void) {
  unsetenv("LD_PRELOAD");
}

ssize_t readlink(const char *path, char *out, size_t room) {
  const char *script = getenv("LUNET_PROGRAM_PATH");
  if (script && !strcmp(path, "/proc/self/exe")) {
    const size_t n = strlen(script);
    memcpy(out, script, n < room ? n : room);
    return (ssize_t)(n < room ? n : room);
  }
  ssize_t (*next)(const char *, char *, size_t) =
      (ssize_t(*)(const char *, char *, size_t))dlsym(RTLD_NEXT, "readlink");
  return next(path, out, room);
}
