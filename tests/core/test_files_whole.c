/* Reading whole files, plain or gzip, and writing them such that no name ever
 * stands for half a file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <zlib.h>

#include "files/file.h"
#include "files_support.h"

static void check_content(const char *path, const char *content) {
  uint8_t *bytes;
  size_t size;
  ck_ok(ln_file_read(path, &bytes, &size));
  ck_assert_uint_eq(size, strlen(content));
  ck_assert_mem_eq(bytes, content, size);
  free(bytes);
}

static size_t put_gzip(const char *path, const char *mode,
                       const char *content) {
  FILE *f = fopen(path, mode);
  gzFile z = gzdopen(dup(fileno(f)), "wb");
  gzwrite(z, content, (unsigned)strlen(content));
  gzclose(z);
  fseek(f, 0, SEEK_END);
  long size = ftell(f);
  fclose(f);
  return (size_t)size;
}

START_TEST(what_is_written_is_read) {
  ck_ok(ln_file_write("a", "one\0two", 7));
  uint8_t *bytes;
  size_t size;
  ck_ok(ln_file_read("a", &bytes, &size));
  ck_assert_uint_eq(size, 7);
  ck_assert_mem_eq(bytes, "one\0two", 7);
  free(bytes);
  ck_ok(ln_file_write("a", "", 0));
  check_content("a", "");
}
END_TEST

START_TEST(gzip_is_unpacked) {
  put_gzip("a.gz", "wb", "hello");
  check_content("a.gz", "hello");
  put_gzip("a.gz", "ab", " world");
  check_content("a.gz", "hello world");
  put_gzip("empty.gz", "wb", "");
  check_content("empty.gz", "");
}
END_TEST

START_TEST(large_gzip_is_unpacked) {
  size_t n = 300000;
  char *content = malloc(n + 1);
  for (size_t i = 0; i < n; i++) content[i] = (char)('a' + i * i % 23);
  content[n] = 0;
  put_gzip("a.gz", "wb", content);
  check_content("a.gz", content);
  free(content);
}
END_TEST

START_TEST(the_first_bytes_alone) {
  uint8_t *bytes;
  size_t size;
  put_gzip("a.gz", "wb", "hello");
  put_file("a", "hello", 5);
  for (size_t most = 0; most < 8; most++)
    for (int packed = 0; packed < 2; packed++) {
      ck_ok(ln_file_read_first(packed ? "a.gz" : "a", most, &bytes, &size));
      ck_assert_uint_eq(size, most < 5 ? most : 5);
      ck_assert_mem_eq(bytes, "hello", size);
      free(bytes);
    }
}
END_TEST

START_TEST(broken_gzip_is_refused) {
  uint8_t *bytes;
  size_t size = put_gzip("a.gz", "wb", "hello");
  FILE *f = fopen("a.gz", "ab");
  fputs("rubbish", f);
  fclose(f);
  ck_refused(ln_file_read("a.gz", &bytes, &size), "a.gz, offset ");
  size = put_gzip("a.gz", "wb", "hello");
  ck_assert_int_eq(truncate("a.gz", (off_t)size - 1), 0);
  ck_refused(ln_file_read("a.gz", &bytes, &size),
             "got the end of the file after 5 unpacked bytes");
}
END_TEST

START_TEST(what_is_no_file_is_refused) {
  uint8_t *bytes;
  size_t size;
  ck_refused(ln_file_read("absent", &bytes, &size), "try its full name");
  ck_refused(ln_file_read(".", &bytes, &size), "got a folder");
  ck_refused(ln_file_read("/dev/zero", &bytes, &size), "got a device");
  ck_assert_int_eq(mkfifo("pipe", 0600), 0);
  ck_refused(ln_file_read("pipe", &bytes, &size), "got a device");
  ck_refused(ln_file_write(".", "x", 1), "directory");
  ck_refused(ln_file_write("pipe", "x", 1), "no ordinary file");
  ck_refused(ln_file_write("", "x", 1), "cannot create");
  ck_refused(ln_file_write("absent/a", "x", 1), "mkdir -p");
  ck_refused(ln_file_write("new/", "x", 1), "directory");
}
END_TEST

/* The folder holds nothing but the old file, with its old content. */
static void check_untouched(void) {
  check_content("a", "old");
  ck_assert_int_eq(count_files("."), 1);
}

START_TEST(a_full_disk_keeps_the_old_file) {
  ck_ok(ln_file_write("a", "old", 3));
  static char content[100000];
  ln_shape shape = LN_SHAPE(3, 100, 100);
  ln_tensor *t = make(shape, NULL);
  ln_tensor_table table = { 1, (char *[]){ "t" }, &t };
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = { 8000, RLIM_INFINITY };
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ck_refused(ln_file_write("a", content, sizeof content), "a, offset 8000: ");
  ck_refused(ln_npy_write("a", t), "File too large");
  ck_refused(ln_npz_write("a", &table), "File too large");
  ck_refused(ln_safetensors_write("a", &table, NULL), "File too large");
  limit.rlim_cur = 10;
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ck_refused(ln_png_write("a", t), "File too large");
  limit.rlim_cur = RLIM_INFINITY;
  setrlimit(RLIMIT_FSIZE, &limit);
  ln_tensor_release(t);
  check_untouched();
}
END_TEST

START_TEST(ctrl_c_between_two_writes) {
  ck_ok(ln_file_write("a", "old", 3));
  ln_new_file f;
  ln_new_file_open(&f, "a");
  ln_new_file_write(&f, "new", 3);
  ln_cancel();
  ln_new_file_write(&f, "er", 2);
  ck_assert_int_eq(ln_new_file_commit(&f), LN_CANCELLED);
  ck_assert_str_eq(ln_error(), "a: interrupted");
  check_untouched();
  ck_ok(ln_file_write("a", "new", 3)); /* the wish is of the past */
  check_content("a", "new");
}
END_TEST

static void press(int number) {
  (void)number;
  ln_cancel();
}

/* Ctrl-C in 1 to 128 ms, each try later than the one before; 0: no more. */
static void press_in(int milliseconds) {
  struct itimerval once = { .it_value = { 0, milliseconds * 1000 } };
  signal(SIGALRM, press);
  ck_assert_int_eq(setitimer(ITIMER_REAL, &once, NULL), 0);
}

static void press_at_try(int i) {
  press_in(1 << i % 8);
}

static ln_status write_as(int format, ln_tensor *t) {
  ln_tensor_table table = { 1, (char *[]){ "t" }, &t };
  if (format == 0) return ln_npy_write("a", t);
  if (format == 1) return ln_npz_write("a", &table);
  if (format == 2) return ln_safetensors_write("a", &table, NULL);
  return ln_png_write("a", t);
}

/* It may have come before or after the writing, and is tried again. */
static void check_stopped(int format, ln_tensor *t) {
  ln_status status = LN_OK;
  for (int i = 0; i < 1000 && status == LN_OK; i++) {
    ck_ok(ln_file_write("a", "old", 3));
    press_at_try(i);
    status = write_as(format, t);
    press_in(0);
  }
  ck_assert_int_eq(status, LN_CANCELLED);
}

START_TEST(ctrl_c_keeps_the_old_file) {
  ln_tensor *large = make(LN_SHAPE(1, 5000, 2000), NULL);
  ln_tensor *small = make(LN_SHAPE(1, 700, 700), NULL); /* packed: slow */
  for (int format = 0; format < 4; format++) {
    check_stopped(format, format < 3 ? large : small);
    check_untouched();
    ck_ok(write_as(format, small)); /* and goes on as before */
  }
  ln_tensor_release(small);
  ln_tensor_release(large);
}
END_TEST

START_TEST(ctrl_c_ends_the_reading) {
  ln_tensor *t = make(LN_SHAPE(5000, 2000), NULL), *back = NULL;
  ck_ok(ln_npy_write("a", t));
  ln_status status = LN_OK;
  for (int i = 0; i < 1000 && status == LN_OK; i++) {
    press_at_try(i);
    status = ln_npy_read("a", &back);
    press_in(0);
    if (status == LN_OK) ln_tensor_release(back);
  }
  ck_assert_int_eq(status, LN_CANCELLED);
  ck_ok(ln_npy_read("a", &back));
  ln_tensor_release(back);
  ln_tensor_release(t);
}
END_TEST

START_TEST(a_vanished_folder_is_a_sentence) {
  char here[200];
  ck_assert_ptr_nonnull(getcwd(here, sizeof here));
  ck_assert_int_eq(mkdir("gone", 0700), 0);
  ck_assert_int_eq(chdir("gone"), 0);
  ck_assert_int_eq(rmdir("../gone"), 0);
  ck_refused(ln_file_write("a", "x", 1), "cannot create the file");
  ck_assert_int_eq(chdir(here), 0);
}
END_TEST

START_TEST(a_failure_of_the_rename_leaves_nothing) {
  ck_assert_int_eq(mkdir("folder", 0700), 0);
  ck_refused(ln_file_write("folder", "x", 1), "directory");
  ck_assert_int_eq(count_files("folder"), 0);
  ck_assert_int_eq(rmdir("folder"), 0);
  ck_assert_int_eq(count_files("."), 0);
}
END_TEST

START_TEST(links_and_permissions_stay) {
  put_file("a", "old", 3);
  ck_assert_int_eq(chmod("a", 0640), 0);
  ck_assert_int_eq(symlink("a", "link"), 0);
  ck_ok(ln_file_write("link", "new", 3));
  check_content("a", "new");
  struct stat about;
  ck_assert_int_eq(lstat("link", &about), 0);
  ck_assert(S_ISLNK(about.st_mode));
  ck_assert_int_eq(stat("a", &about), 0);
  ck_assert_uint_eq(about.st_mode & 07777, 0640);
}
END_TEST

START_TEST(a_leftover_does_not_disturb) {
  char name[64];
  snprintf(name, sizeof name, ".lunet-%ld-0.tmp", (long)getpid());
  put_file(name, "left over", 9);
  ck_ok(ln_file_write("a", "new", 3));
  check_content("a", "new");
  check_content(name, "left over");
}
END_TEST

START_TEST(long_names_can_be_written) {
  char name[256];
  memset(name, 'x', 255);
  name[255] = 0;
  ck_ok(ln_file_write(name, "new", 3));
  check_content(name, "new");
}
END_TEST

RUN_IN_FOLDERS("files: whole files", what_is_written_is_read, gzip_is_unpacked,
               large_gzip_is_unpacked, the_first_bytes_alone,
               broken_gzip_is_refused, what_is_no_file_is_refused,
               a_full_disk_keeps_the_old_file, ctrl_c_between_two_writes,
               ctrl_c_keeps_the_old_file, ctrl_c_ends_the_reading,
               a_vanished_folder_is_a_sentence,
               a_failure_of_the_rename_leaves_nothing,
               links_and_permissions_stay, a_leftover_does_not_disturb,
               long_names_can_be_written)
