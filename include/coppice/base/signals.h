/** \file signals.h
 * Signals that ask the job to leave: SIGTERM, SIGINT, SIGUSR1; and SIGCONT, which may announce
 * them.
 */
#ifndef COPPICE_BASE_SIGNALS_H
#define COPPICE_BASE_SIGNALS_H

#include "coppice/base/status.h"

#include <stdbool.h>

/** Catches the signals from now on; SIGPIPE becomes an error of the call that raises it. */
cop_status cop_signals_catch(cop_error *err);

/** The signal that asked the job to leave, 0 if none did. */
int cop_signals_pending(void);

/** True if a SIGCONT came since this was asked last. Launchers and schedulers send it right
 * before the SIGTERM of a job, and mpirun of Open MPI 5 kills its ranks half a second after it:
 * too late to begin with a checkpoint at the SIGTERM. */
bool cop_signals_take_continue(void);

#endif
