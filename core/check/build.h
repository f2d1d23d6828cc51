/* build.h - from the source of a plugin to a .so in a temporary folder. */
#ifndef LUNET_CHECK_BUILD_H
#define LUNET_CHECK_BUILD_H

#include <lunet/lunet.h>

/* Compiles `source` to `plugin`, with `more` arguments for the compiler. Who
 * finds the compiler is the caller's business, see ln_check_command. */
typedef ln_status (*ln_compiler)(void *arg, const char *source,
                                 const char *plugin, const char *more);
void ln_build_with(ln_compiler, void *arg);

/* Is it, by its name, a source in C or C++? */
bool ln_is_source(const char *name);
/* Writes where the plugin went to `path`. `more`: such as the arguments of the
 * sanitizers, or "". */
ln_status ln_build_plugin(const char *source, const char *more, char *path,
                          size_t room);
void ln_remove_built(void); /* all that were built so far */

#endif
