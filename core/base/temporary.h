/* temporary.h - where temporary files and folders are made. */
#ifndef LUNET_BASE_TEMPORARY_H
#define LUNET_BASE_TEMPORARY_H

/* The folder that TMPDIR names, else the system's. */
const char *ln_temporary_place(void);

#endif
