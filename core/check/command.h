/* command.h - `lunet check-plugin`, the command line. */
#ifndef LUNET_CHECK_COMMAND_H
#define LUNET_CHECK_COMMAND_H

#include "check/build.h"

/* argv[0] is "check-plugin". Returns the exit status: 0 no fault, 1 faults,
 * 2 it could not be asked like this. Sources are given to the compiler. */
int ln_check_command(int argc, char **argv, ln_compiler, void *compiler_arg);

#endif
