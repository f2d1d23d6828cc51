/* runner.c - processes for groups of checks; see runner.h. */
#include "check/runner.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/temporary.h"
#include "check/shared_object.h"
#include "check/watch.h"
#include "host/registry.h"

/* Of a whole group; single calls have limits of their own. */
static double seconds_of(int level) {
  return level <= 3 ? 300 : 3600;
}

void ln_findings_add(ln_findings *all, const ln_finding *f) {
  for (int64_t i = 0; i < all->count; i++)
    if (!strcmp(all->at[i].check, f->check) &&
        !strcmp(all->at[i].layer, f->layer))
      return; /* another group met the same */
  ln_finding *more =
      realloc(all->at, (size_t)(all->count + 1) * sizeof *all->at);
  if (!more) return;
  all->at = more;
  all->at[all->count++] = *f;
}

/* ---- in the child ---- */

/* What the plugin prints is not to disturb the report. */
static void divert_output(void) {
  char name[4096];
  snprintf(name, sizeof name, "%s/lunet-check-XXXXXX", ln_temporary_place());
  if (getenv("LUNET_CHECK_SANITIZED")) return; /* its words are the finding */
  const int file = mkstemp(name);
  if (file < 0) return;
  unlink(name);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  close(file);
}

static void see_symbol(void *arg, const char *symbol) {
  (void)arg, (void)symbol;
}

static void see_library(void *arg, const char *library) {
  if (!ln_is_usual_library(library)) ((ln_checking *)arg)->wraps = true;
}

static bool load(ln_checking *c) {
  ln_shared_object o = { .shows = see_symbol, .links = see_library, .arg = c };
  ln_shared_object_read(c->path, &o);
  const ln_plugin *plugin;
  ln_watch_enter("load");
  const bool loaded = !ln_plugins_load(c->path, &plugin);
  ln_watch_leave();
  return loaded && !ln_registry_find(c->word, &c->known);
}

static void say_done(const ln_checking *c) {
  const ln_finding end = { .severity = 0, .check = "done" };
  ln_send(c, &end);
}

static void run_child(const ln_group *g, ln_checking *c) {
  divert_output();
  ln_watch_start(c);
  if (g->of_file || load(c)) g->run(c);
  say_done(c);
  _Exit(0);
}

/* ---- in the parent ---- */

/* Reads findings until the child says that it is done, or is gone. */
static bool read_findings(int pipe, const char *word, double seconds,
                          ln_findings *all) {
  const double end = ln_seconds() + seconds;
  ln_finding f;
  struct pollfd wait = { .fd = pipe, .events = POLLIN };
  while (ln_seconds() < end && poll(&wait, 1, 1000) >= 0) {
    if (!wait.revents) continue;
    if (read(pipe, &f, sizeof f) != (ssize_t)sizeof f) return false;
    if (f.severity == 0) return true;
    if (word && !f.layer[0]) snprintf(f.layer, sizeof f.layer, "%s", word);
    ln_findings_add(all, &f);
  }
  return false;
}

static void report_end(const ln_checking *c, int status, ln_findings *all) {
  ln_finding f = { .severity = LN_FAULT };
  const char *call = c->call[0] ? c->call : "between two calls";
  snprintf(f.layer, sizeof f.layer, "%s", c->word ? c->word : "");
  snprintf(f.group, sizeof f.group, "%s", c->group);
  snprintf(f.where, sizeof f.where, "%s", c->where);
  if (WIFEXITED(status)) {
    snprintf(f.check, sizeof f.check, "behaviour.exit");
    snprintf(f.what, sizeof f.what, "%s: ends the process with status %d", call,
             WEXITSTATUS(status));
  } else {
    snprintf(f.check, sizeof f.check, "behaviour.%s",
             WTERMSIG(status) == SIGKILL ? "hang" : "crash");
    snprintf(f.what, sizeof f.what, "%s: %s", call,
             WTERMSIG(status) == SIGKILL ? "the group of checks does not end"
                                         : strsignal(WTERMSIG(status)));
  }
  ln_findings_add(all, &f);
}

static ln_checking *share(const ln_checking *how) {
  ln_checking *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (c == MAP_FAILED) {
    perror("check-plugin");
    exit(EXIT_FAILURE);
  }
  *c = *how;
  return c;
}

bool ln_run_start(const ln_group *g, const ln_checking *how, ln_run *r) {
  int ends[2];
  fflush(NULL);
  if (pipe(ends)) return false;
  r->checking = share(how);
  r->checking->pipe = ends[1];
  r->checking->group = g->name;
  r->pipe = ends[0];
  r->pid = fork();
  if (r->pid == 0) {
    close(ends[0]);
    run_child(g, r->checking);
  }
  close(ends[1]);
  return true;
}

void ln_run_finish(ln_run *r, ln_findings *all) {
  ln_findings own = { 0 };
  const bool done =
      r->pid > 0 && read_findings(r->pipe, r->checking->word,
                                  seconds_of(r->checking->level), &own);
  int status = 0;
  close(r->pipe);
  if (!done && r->pid > 0) kill(r->pid, SIGKILL);
  if (r->pid > 0) waitpid(r->pid, &status, 0);
  if (!done && !own.count) report_end(r->checking, status, &own);
  for (int64_t i = 0; i < own.count; i++) ln_findings_add(all, &own.at[i]);
  free(own.at);
  munmap(r->checking, sizeof *r->checking);
}

/* ---- the words of a file ---- */

static void tell_words(void *arg, const char *path, const ln_plugin *plugin,
                       const ln_layer *layer, const char *refused) {
  (void)path, (void)plugin, (void)refused;
  if (!layer) return;
  char word[64] = "";
  snprintf(word, sizeof word, "%s", layer->name);
  if (write(*(int *)arg, word, sizeof word) < 0) _Exit(1);
}

static void tell_all(const char *path, int pipe) {
  const ln_plugin *plugin;
  setenv("LUNET_PLUGIN_PATH", "", 1);
  if (ln_plugins_load(path, &plugin)) _Exit(1);
  for (uint32_t i = 0; i < plugin->n_layers; i++) {
    const ln_layer *l;
    if (plugin->layers[i] && plugin->layers[i]->name &&
        !ln_plugins_find(plugin->layers[i]->name, &l))
      tell_words(&pipe, path, plugin, l, NULL);
  }
  _Exit(0);
}

bool ln_list_words(const char *path, char words[][64], int most) {
  int ends[2], n = 0, status = 1;
  words[0][0] = 0;
  if (pipe(ends)) return false;
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    divert_output();
    alarm(10);
    tell_all(path, ends[1]);
  }
  close(ends[1]);
  while (n < most - 1 && read(ends[0], words[n], 64) == 64) n++;
  words[n][0] = 0;
  close(ends[0]);
  waitpid(child, &status, 0);
  return n > 0;
}
