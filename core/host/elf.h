/* elf.h - is a file a whole shared object? The system's loader may crash on a
 * truncated one, so look before opening. */
#ifndef LUNET_HOST_ELF_H
#define LUNET_HOST_ELF_H

#include <lunet/lunet.h>

/* LN_FAILED with a reason (without the path) where the file is missing, no
 * shared object, or shorter than its own header says. */
ln_status ln_elf_check(const char *path);

#endif
