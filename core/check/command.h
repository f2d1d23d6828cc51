/* command.h - `lunet check-plugin`, the command line. */
#ifndef LUNET_CHECK_COMMAND_H
#define LUNET_CHECK_COMMAND_H

/* argv[0] is "check-plugin". Returns the exit status: 0 no fault, 1 faults,
 * 2 it could not be asked like this. */
int ln_check_command(int argc, char **argv);

#endif
