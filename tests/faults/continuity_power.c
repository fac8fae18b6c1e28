// Copyright (c) 2026 the timmy-config authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Preloaded into a program, this notes everything that the program changes below POWER_DIR, and every fsync, so
// that continuity_power.py can tell what a power cut would have left. One line for each change, to POWER_TRACE:
//
//   create INODE NAME     write INODE OFFSET HEX     cut INODE SIZE     sync INODE     sync-names
//   link INODE NAME       rename OLD NEW             unlink NAME        said HEX
//
// `said` is what the program wrote to its standard output. With POWER_KILL=N the N-th change kills the program
// instead of being made.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long changes;

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void note(const char *text, size_t size) {
  const char *path = getenv("POWER_TRACE");
  if (!path) return;
  int handle = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (handle < 0 || syscall(SYS_write, handle, text, size) != (long)size) abort();
  syscall(SYS_close, handle);
}

static void notef(const char *format, ...) {
  char line[2 * PATH_MAX];
  va_list rest;
  va_start(rest, format);
  int size = vsnprintf(line, sizeof line, format, rest);
  va_end(rest);
  note(line, (size_t)size);
}

static void before_change(void) {
  const char *at = getenv("POWER_KILL");
  if (at && ++changes == atol(at)) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// Whether a handle is the folder itself (2), a file in it (1), or something else (0).
static int inside(int handle) {
  const char *folder = getenv("POWER_DIR");
  char link[64], path[PATH_MAX];
  if (!folder) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  size_t length = strlen(folder);
  if (strncmp(path, folder, length)) return 0;
  return path[length] == 0 ? 2 : path[length] == '/';
}

static unsigned long inode(int handle) {
  struct stat about;
  return fstat(handle, &about) ? 0 : (unsigned long)about.st_ino;
}

static int opened(int where, const char *path, int flags, mode_t mode) {
  struct stat about;
  int makes = (flags & O_CREAT) && fstatat(where, path, &about, AT_SYMLINK_NOFOLLOW);
  if (makes) before_change();
  int handle = (int)syscall(SYS_openat, where, path, flags, mode);
  if (handle >= 0 && makes && inside(handle) == 1) notef("create %lu %s\n", inode(handle), name_of(path));
  return handle;
}

#define OPEN_MODE(flags)            \
  mode_t mode = 0;                  \
  if ((flags) & O_CREAT) {          \
    va_list rest;                   \
    va_start(rest, flags);          \
    mode = va_arg(rest, mode_t);    \
    va_end(rest);                   \
  }

int open(const char *path, int flags, ...) { OPEN_MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { OPEN_MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int where, const char *path, int flags, ...) { OPEN_MODE(flags) return opened(where, path, flags, mode); }
int openat64(int where, const char *path, int flags, ...) { OPEN_MODE(flags) return opened(where, path, flags, mode); }

static void note_bytes(const char *head, const unsigned char *data, size_t size) {
  size_t begin = strlen(head);
  char *line = malloc(begin + 2 * size + 2);
  memcpy(line, head, begin);
  for (size_t at = 0; at < size; at++) sprintf(line + begin + 2 * at, "%02x", data[at]);
  line[begin + 2 * size] = '\n';
  note(line, begin + 2 * size + 1);
  free(line);
}

ssize_t write(int handle, const void *data, size_t size) {
  REAL(write);
  int ours = inside(handle) == 1;
  if (ours) before_change();
  ssize_t done = real(handle, data, size);
  if (done > 0 && ours) {
    char head[96];
    off_t end = (off_t)syscall(SYS_lseek, handle, 0, SEEK_CUR);
    snprintf(head, sizeof head, "write %lu %ld ", inode(handle), (long)(end - done));
    note_bytes(head, data, (size_t)done);
  } else if (done > 0 && handle == 1) {
    note_bytes("said ", data, (size_t)done);
  }
  return done;
}

static int cut(int handle, off_t size) {
  int ours = inside(handle) == 1;
  if (ours) before_change();
  int done = (int)syscall(SYS_ftruncate, handle, size);
  if (!done && ours) notef("cut %lu %ld\n", inode(handle), (long)size);
  return done;
}
int ftruncate(int handle, off_t size) { return cut(handle, size); }
int ftruncate64(int handle, off_t size) { return cut(handle, size); }

static int synced(int handle, long number) {
  int what = inside(handle);
  if (what) before_change();
  int done = (int)syscall(number, handle);
  if (!done && what == 1) notef("sync %lu\n", inode(handle));
  if (!done && what == 2) notef("sync-names\n");
  return done;
}
int fsync(int handle) { return synced(handle, SYS_fsync); }
int fdatasync(int handle) { return synced(handle, SYS_fdatasync); }

int renameat(int from, const char *old, int to, const char *new) {
  before_change();
  REAL(renameat);
  int done = real(from, old, to, new);
  if (!done) notef("rename %s %s\n", name_of(old), name_of(new));
  return done;
}
int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
  struct stat about;
  before_change();
  REAL(linkat);
  int done = real(from, old, to, new, flags);
  if (!done && !fstatat(to, new, &about, AT_SYMLINK_NOFOLLOW))
    notef("link %lu %s\n", (unsigned long)about.st_ino, name_of(new));
  return done;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int where, const char *path, int flags) {
  before_change();
  REAL(unlinkat);
  int done = real(where, path, flags);
  if (!done) notef("unlink %s\n", name_of(path));
  return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
