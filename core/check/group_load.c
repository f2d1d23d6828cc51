/* group_load.c - the file: does it open, what does it show, what does opening
 * it do? */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check/checking.h"
#include "check/shared_object.h"
#include "check/surroundings.h"
#include "check/watch.h"
#include "host/elf.h"

/* ---- from outside ---- */

static void see_symbol(void *arg, const char *symbol) {
  static const char *const of_the_linker[] = { "_init", "_fini", "_edata",
                                               "_end", "__bss_start" };
  for (size_t i = 0; i < sizeof of_the_linker / sizeof *of_the_linker; i++)
    if (!strcmp(symbol, of_the_linker[i])) return;
  if (strncmp(symbol, "__asan", 6) && strcmp(symbol, "lunet_plugin_v1"))
    ln_report(arg, "load.symbols", "the file also shows the symbol %s", symbol);
}

static void see_library(void *arg, const char *library) {
  if (!ln_is_usual_library(library))
    ln_remark(arg, "load.libraries", "it needs the library %s", library);
}

static void look_at_file(ln_checking *c) {
  ln_shared_object o = { .shows = see_symbol, .links = see_library, .arg = c };
  if (!ln_shared_object_read(c->path, &o)) return;
  if (o.executable_stack)
    ln_report(c, "load.stack", "it wants an executable stack");
  if (o.relocates_code)
    ln_report(c, "load.stack", "its code must be changed at load");
}

/* ---- opening it ---- */

static ln_library *open_quietly(ln_checking *c) {
  ln_library *lib = NULL;
  ln_surroundings before, after;
  ln_look_around(&before);
  const clock_t start = clock();
  ln_watch_enter("opening the file");
  if (ln_library_open(c->path, &lib))
    ln_report(c, "load.open", "refused: %s", ln_error());
  ln_watch_leave();
  const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
  ln_look_around(&after);
  const char *changed = ln_what_changed(&before, &after);
  if (changed) ln_report(c, "load.quiet", "opening it changes %s", changed);
  if (after.printed > before.printed)
    ln_report(c, "load.quiet", "opening it prints");
  if (seconds > 0.5)
    ln_report_values(c, "load.quiet", 0.5, seconds,
                     "opening it takes the processor %.1f s", seconds);
  return lib;
}

/* ---- a copy beside it ---- */

static void open_copy(ln_checking *c, const ln_library *first) {
  ln_library *second = NULL;
  ln_watch_enter("opening a copy of the file");
  if (ln_library_open_copy(c->path, c->path, &second))
    ln_report(c, "load.copy", "a copy is refused: %s", ln_error());
  else if (second->n_layers != first->n_layers)
    ln_report(c, "load.copy", "a copy has other layers");
  ln_watch_leave();
}

void ln_group_load(ln_checking *c) {
  if (ln_elf_check(c->path)) {
    ln_report(c, "load.open", "refused: %s", ln_error());
    return;
  }
  look_at_file(c);
  const ln_library *lib = open_quietly(c);
  if (!lib) return;
  if (lib->refused)
    ln_report(c, "load.layers", "a layer was refused: %s", lib->refused);
  open_copy(c, lib);
}
