/** \file thread.h
 * Threads beside the main one: started with all signals blocked, so that handlers run in the
 * main thread, and waiting by the monotonic clock.
 */
#ifndef COPPICE_BASE_THREAD_H
#define COPPICE_BASE_THREAD_H

#include "coppice/base/status.h"

#include <pthread.h>

/** Initialises mutex and condition and starts the thread; on failure neither is left. */
cop_status cop_thread_start(pthread_t *thread, pthread_mutex_t *mutex, pthread_cond_t *wake,
                            void *(*body)(void *), void *context, cop_error *err);

/** Waits for a signal on `wake`, at most so long; the mutex is held. */
void cop_thread_wait(pthread_cond_t *wake, pthread_mutex_t *mutex, double seconds);

/** Waits for the thread's end and frees mutex and condition. */
void cop_thread_join(pthread_t thread, pthread_mutex_t *mutex, pthread_cond_t *wake);

#endif
