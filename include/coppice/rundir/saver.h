/** \file saver.h
 * Writes run files in a thread of its own, so that rank 0 serves its workers meanwhile: a file
 * server may take seconds.
 */
#ifndef COPPICE_RUNDIR_SAVER_H
#define COPPICE_RUNDIR_SAVER_H

#include "coppice/store/store.h"

typedef struct cop_saver cop_saver;

/** What became of a write. */
typedef struct cop_saver_result {
    uint64_t number; /**< of the write, from 1 */
    cop_error error; /**< its status COP_OK: the file is complete and in place */
    double seconds;  /**< that it took */
} cop_saver_result;

/** Starts the thread. It writes to `path` (copied) with cop_store_write_if(), whose question is
 * asked from the thread. */
cop_status cop_saver_start(const char *path,
                           cop_status (*may_commit)(void *context, cop_error *err),
                           void *context, cop_saver **saver, cop_error *err);

/** Takes *store over, sets it to NULL, and writes it as soon as the write in progress is done.
 * One that still waits to be written is dropped for it. \return the number of the write. */
uint64_t cop_saver_submit(cop_saver *saver, cop_store **store);

/** From the next write on the file is `path` (copied): its directory was moved. */
cop_status cop_saver_move(cop_saver *saver, const char *path, cop_error *err);

/** True while a write is in progress or waits. */
bool cop_saver_is_busy(cop_saver *saver);

/** Gives the result of the last write that has ended; false if it was given before. */
bool cop_saver_take_result(cop_saver *saver, cop_saver_result *result);

/** Waits until nothing is left to write. */
void cop_saver_wait(cop_saver *saver);

/** Writes what is left, ends the thread, frees *saver and sets it to NULL; NULL is allowed. */
void cop_saver_stop(cop_saver **saver);

#endif
