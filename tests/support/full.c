/*
 * A disk without room, as a database meets it: preloaded, while the byte in the file MAILMUM_TEST_FULL
 * is 1, no table or index of PostgreSQL can grow. What is written in place goes on, as on a real
 * disk; so does its log, whose files are made beforehand and often lie on a disk of their own. While
 * the byte is 2 it is that disk which is full: no new file of the log can be made.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile const char *full;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("MAILMUM_TEST_FULL");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *place = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (place != MAP_FAILED)
        full = place;
}

static int has_no_room(int fd, off_t end)
{
    char link[64], name[4096];
    struct stat found;
    ssize_t length;

    if (!full || !*full || fstat(fd, &found) || end <= found.st_size)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, name, sizeof name - 1);
    name[length < 0 ? 0 : length] = 0;
    return strstr(name, *full == 2 ? "/pg_wal/" : "/base/") != NULL;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    if (has_no_room(fd, at + (off_t)size)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at)
{
    off_t end = at;

    for (int one = 0; one < count; one++)
        end += (off_t)pieces[one].iov_len;
    if (has_no_room(fd, end)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwritev, fd, pieces, count, at, 0L);
}

int posix_fallocate(int fd, off_t at, off_t size)
{
    if (has_no_room(fd, at + size))
        return ENOSPC;
    return syscall(SYS_fallocate, fd, 0, at, size) ? errno : 0;
}
