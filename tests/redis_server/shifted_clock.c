/* A wall clock that a test can set, for a process of its own: loaded before the C library (LD_PRELOAD). The file that
   SHIFTED_CLOCK names holds two numbers of 64 bits: by how many microseconds the clock is ahead, and, unless that is 0, the
   time in microseconds at which it stands still. Clocks that count from the machine's start are left alone. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *set;

__attribute__((constructor)) static void open_clock(void) {
    const char *path = getenv("SHIFTED_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) abort();
    void *map = mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    set = map;
    close(file);
}

static int64_t now(clockid_t id) {
    struct timespec time;
    syscall(SYS_clock_gettime, id, &time);
    int64_t micros = (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
    if (!set) return micros;
    return set[1] ? set[1] : micros + set[0];
}

int clock_gettime(clockid_t id, struct timespec *out) {
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) return (int)syscall(SYS_clock_gettime, id, out);
    int64_t micros = now(id);
    out->tv_sec = micros / 1000000;
    out->tv_nsec = micros % 1000000 * 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    int64_t micros = now(CLOCK_REALTIME);
    out->tv_sec = micros / 1000000;
    out->tv_usec = micros % 1000000;
    return 0;
}

time_t time(time_t *out) {
    time_t secs = now(CLOCK_REALTIME) / 1000000;
    if (out) *out = secs;
    return secs;
}
