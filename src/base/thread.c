#include "coppice/base/thread.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static int start_blocked(pthread_t *thread, void *(*body)(void *), void *context)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (failed != 0) return failed;
    failed = pthread_create(thread, NULL, body, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

cop_status cop_thread_start(pthread_t *thread, pthread_mutex_t *mutex, pthread_cond_t *wake,
                            void *(*body)(void *), void *context, cop_error *err)
{
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic);
    if (failed == 0) failed = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (failed == 0) failed = pthread_cond_init(wake, &monotonic);
    if (failed == 0) failed = pthread_mutex_init(mutex, NULL);
    if (failed == 0) {
        failed = start_blocked(thread, body, context);
        if (failed != 0) {
            (void)pthread_mutex_destroy(mutex);
            (void)pthread_cond_destroy(wake);
        }
    }
    (void)pthread_condattr_destroy(&monotonic);
    /* Its stack is what there is no room for. */
    COP_CHECK(failed == 0, err, failed == EAGAIN ? COP_ERR_MEMORY : COP_ERR_INTERNAL,
              "cannot start a thread: %s", strerror(failed));
    return COP_OK;
}

void cop_thread_wait(pthread_cond_t *wake, pthread_mutex_t *mutex, double seconds)
{
    static const long second_ns = 1000000000;
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (until.tv_nsec >= second_ns) {
        until.tv_nsec -= second_ns;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(wake, mutex, &until);
}

void cop_thread_join(pthread_t thread, pthread_mutex_t *mutex, pthread_cond_t *wake)
{
    (void)pthread_join(thread, NULL);
    (void)pthread_cond_destroy(wake);
    (void)pthread_mutex_destroy(mutex);
}
