/* file.h - whole files: reading them as they are, unpacking gzip, and writing
 * such that a name never stands for half a file. */
#ifndef LUNET_FILES_FILE_H
#define LUNET_FILES_FILE_H

#include <lunet/lunet.h>

/* The last line of errors about damaged files. */
#define LN_TRY_NEW_COPY "\n  try a new copy of the file: this one is damaged"

/* Opens a regular file to read from it, and tells its bytes. */
ln_status ln_file_open(const char *path, int *file, size_t *size);

/* Large files are read and written in pieces of so many bytes, between which
 * one looks whether Ctrl-C was pressed. */
enum { LN_FILE_PIECE = 1 << 24 };

/* A whole file as it is on disk; free() the bytes. */
ln_status ln_file_read_raw(const char *path, uint8_t **bytes, size_t *size);

/* Unpacks gzip from the beginning of an open file, at most `most` bytes;
 * free() the bytes. `path` stands in messages. */
ln_status ln_gunzip(int file, const char *path, size_t most, uint8_t **bytes,
                    size_t *size);

/* A file that takes its name only once all of it is on disk. Open, write as
 * often as you like, and commit: the first failure on the way is kept, makes
 * the rest do nothing, and is what commit reports. Until commit has succeeded
 * an older file of that name is untouched. Ctrl-C is a failure like another:
 * commit gives LN_CANCELLED. */
typedef struct ln_new_file {
  const char *path; /* as the caller wrote it, for messages */
  char *target;     /* the same with symbolic links followed */
  const char *name; /* its last part, inside target */
  char temporary[64];
  int folder, file; /* descriptors; -1: not open */
  size_t written, on_disk;
  int error;         /* errno of the first failure; 0: none so far */
  const char *doing; /* what failed: "write" */
} ln_new_file;

void ln_new_file_open(ln_new_file *f, const char *path);
void ln_new_file_write(ln_new_file *f, const void *bytes, size_t size);
ln_status ln_new_file_commit(ln_new_file *f);
/* Instead of commit, where the content could not be made. */
void ln_new_file_discard(ln_new_file *f);

#endif
