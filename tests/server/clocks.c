/* The clocks of one process, moved by a test: see clocks.py.
 *
 * The file that HCL_TEST_CLOCKS names holds four doubles: by how many seconds the wall,
 * the boot clock and the monotonic clock are ahead of the machine's, and whether the
 * wall is said to be synchronised (1) or not (0).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static const double *moved;
static int (*really)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    really = dlsym(RTLD_NEXT, "clock_gettime");
    int file = open(getenv("HCL_TEST_CLOCKS"), O_RDONLY);
    moved = mmap(NULL, 4 * sizeof(double), PROT_READ, MAP_SHARED, file, 0);
    close(file);
}

static double ahead(clockid_t id)
{
    if (moved == NULL || moved == MAP_FAILED)
        return 0;
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return moved[0];
    case CLOCK_BOOTTIME:
        return moved[1];
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        return moved[2];
    default:
        return 0;
    }
}

int clock_gettime(clockid_t id, struct timespec *at)
{
    if (really == NULL)
        begin();
    int failed = really(id, at);
    double seconds = floor(ahead(id));
    if (!failed)
        at->tv_sec += (time_t)seconds;
    return failed;
}

/* What is waited for until a moment of the moved clock, the system waits for by its own:
 * without this, whoever waits for Python's lock asks for it without pause. */
static struct timespec own(const struct timespec *until)
{
    struct timespec at = *until;
    at.tv_sec -= (time_t)floor(ahead(CLOCK_MONOTONIC));
    return at;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                           const struct timespec *until)
{
    /* As Python and libuv set it, by the monotonic clock. */
    struct timespec at = own(until);
    return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &at);
}

int sem_clockwait(sem_t *semaphore, clockid_t id, const struct timespec *until)
{
    int (*waits)(sem_t *, clockid_t, const struct timespec *) =
        dlsym(RTLD_NEXT, "sem_clockwait");
    struct timespec at = own(until);
    return waits(semaphore, id, id == CLOCK_MONOTONIC ? &at : until);
}

int adjtimex(struct timex *told)
{
    told->maxerror = moved[3] ? 1000 : 16000000;
    return moved[3] ? TIME_OK : TIME_ERROR;
}
