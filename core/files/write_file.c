/* write_file.c - a name never stands for half a file: write a temporary file
 * in the same folder, put it on disk, and only then give it the name.
 *
 * Invariant: until renameat has succeeded, the old file is untouched; after a
 * failure the temporary file is gone.
 *
 * Each piece is put on disk before the next is written. Else the system would
 * keep them all in memory, and the fsync at the end could not be stopped. */
#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_NAMES 1000 /* temporary names tried before giving up */

static void fail(ln_new_file *f, const char *doing, int error) {
  if (f->error != 0) return;
  f->error = error;
  f->doing = doing;
}

/* Follows symbolic links, so that they stay links. Gives the old file's mode,
 * or 0 where there is none. */
static mode_t look_at_target(ln_new_file *f) {
  f->target = realpath(f->path, NULL);
  if (f->target == NULL) {
    if (errno != ENOENT) fail(f, "find", errno);
    f->target = strdup(f->path);
    if (f->target == NULL) fail(f, "find", ENOMEM);
    return 0;
  }
  struct stat old;
  if (stat(f->target, &old) != 0)
    fail(f, "examine", errno);
  else if (S_ISDIR(old.st_mode))
    fail(f, "replace", EISDIR);
  else if (!S_ISREG(old.st_mode))
    fail(f, "replace", EINVAL);
  else if (access(f->target, W_OK) != 0)
    fail(f, "replace", errno);
  return f->error == 0 ? old.st_mode & 07777 : 0;
}

static void open_folder(ln_new_file *f) {
  if (f->error != 0) return;
  char *slash = strrchr(f->target, '/');
  f->name = slash ? slash + 1 : f->target;
  if (*f->name == 0) {
    fail(f, "create", *f->target ? EISDIR : ENOENT);
    return;
  }
  char *folder =
      slash ? strndup(f->target, (size_t)(slash + 1 - f->target)) : strdup(".");
  if (folder == NULL) {
    fail(f, "create", ENOMEM);
    return;
  }
  f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f->folder < 0) fail(f, "open the folder of", errno);
  free(folder);
}

/* A short name of its own, as the target's may be as long as names can be. */
static void open_temporary(ln_new_file *f, mode_t mode) {
  for (int i = 0; f->error == 0 && f->file < 0; i++) {
    snprintf(f->temporary, sizeof f->temporary, ".lunet-%ld-%d.tmp",
             (long)getpid(), i);
    f->file = openat(f->folder, f->temporary,
                     O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->file < 0 && (errno != EEXIST || i >= MOST_NAMES))
      fail(f, "create", errno);
  }
  if (f->error == 0 && mode != 0 && fchmod(f->file, mode) != 0)
    fail(f, "give the old permissions to", errno);
}

void ln_new_file_open(ln_new_file *f, const char *path) {
  ln_clear_cancel();
  *f = (ln_new_file){ .path = path, .folder = -1, .file = -1 };
  mode_t mode = look_at_target(f);
  open_folder(f);
  open_temporary(f, mode);
}

/* What cannot be put on disk now will be, or fails, at the end. */
static void put_on_disk(ln_new_file *f) {
  if (f->written - f->on_disk < LN_FILE_PIECE) return;
  sync_file_range(f->file, (off_t)f->on_disk, (off_t)(f->written - f->on_disk),
                  SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  f->on_disk = f->written;
}

void ln_new_file_write(ln_new_file *f, const void *bytes, size_t size) {
  const uint8_t *from = bytes;
  while (f->error == 0 && size > 0) {
    if (ln_is_cancelled()) {
      fail(f, "write", EINTR);
      return;
    }
    ssize_t n =
        write(f->file, from, size < LN_FILE_PIECE ? size : LN_FILE_PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      fail(f, "write", errno);
      return;
    }
    from += n;
    size -= (size_t)n;
    f->written += (size_t)n;
    put_on_disk(f);
  }
}

static void take_name(ln_new_file *f) {
  if (f->error == 0 && fsync(f->file) != 0) fail(f, "write", errno);
  if (f->file >= 0 && close(f->file) != 0) fail(f, "write", errno);
  if (f->error == 0 &&
      renameat(f->folder, f->temporary, f->folder, f->name) != 0)
    fail(f, "replace", errno);
  if (f->error != 0 && f->file >= 0) unlinkat(f->folder, f->temporary, 0);
}

/* EINVAL: this file system puts folders on disk in its own way. */
static void sync_folder(ln_new_file *f) {
  if (f->error == 0 && fsync(f->folder) != 0 && errno != EINVAL)
    fail(f, "make safe the name of", errno);
}

static ln_status report(const ln_new_file *f) {
  if (f->error == 0) return LN_OK;
  if (f->error == EINTR) {
    ln_set_error("%s: interrupted", f->path);
    return LN_CANCELLED;
  }
  const char *what_to_try = "another folder";
  if (f->error == ENOSPC || f->error == EDQUOT || f->error == EFBIG)
    what_to_try = "`df -h`, and make room";
  if (f->error == ENOENT) what_to_try = "`mkdir -p` for its folder";
  if (f->error == EISDIR) what_to_try = "a file name behind it";
  return ln_set_error("%s, offset %zu: cannot %s the file: %s\n"
                      "  try %s",
                      f->path, f->written, f->doing,
                      f->error == EINVAL ? "it is no ordinary file"
                                         : strerror(f->error),
                      what_to_try);
}

static void close_rest(ln_new_file *f) {
  if (f->folder >= 0) close(f->folder);
  free(f->target);
}

ln_status ln_new_file_commit(ln_new_file *f) {
  take_name(f);
  sync_folder(f);
  close_rest(f);
  return report(f);
}

void ln_new_file_discard(ln_new_file *f) {
  fail(f, "make", ECANCELED); /* so that it does not take the name */
  take_name(f);
  close_rest(f);
}

ln_status ln_file_write(const char *path, const void *bytes, size_t size) {
  ln_new_file f;
  ln_new_file_open(&f, path);
  ln_new_file_write(&f, bytes, size);
  return ln_new_file_commit(&f);
}
