/* build.h - from the .c of a plugin to a .so in a temporary folder. */
#ifndef LUNET_CHECK_BUILD_H
#define LUNET_CHECK_BUILD_H

#include <lunet/lunet.h>

/* Compiles with $CC, or cc, and prints the compiler's words as they are.
 * `more`: further arguments, such as those of the sanitizers, or "". */
ln_status ln_build_plugin(const char *source, const char *more, char *path,
                          size_t room);
void ln_remove_built(void); /* all that were built so far */

#endif
