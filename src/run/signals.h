/* Signals that ask the job to leave: SIGTERM, SIGINT, SIGUSR1. Private to run/. */
#ifndef RUN_SIGNALS_H
#define RUN_SIGNALS_H

#include "coppice/status.h"

/* Catches the signals from now on; SIGXFSZ and SIGPIPE become errors of the calls that raise
 * them. */
cop_status cop_signals_catch(cop_error *err);

/* The signal that asked the job to leave, 0 if none did. */
int cop_signals_pending(void);

#endif
