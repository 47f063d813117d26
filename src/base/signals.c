#include "coppice/base/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* Mutable globals, which checkpoint/mapped_fault.c alone has besides: a handler can reach
 * nothing else. */
static volatile sig_atomic_t pending_signal;
static volatile sig_atomic_t was_continued;

static void note_signal(int signal_number)
{
    pending_signal = signal_number;
}

static void note_continue(int signal_number)
{
    (void)signal_number;
    was_continued = 1;
}

static cop_status set_handler(int signal_number, void (*handler)(int), cop_error *err)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    COP_CHECK(sigaction(signal_number, &action, NULL) == 0, err, COP_ERR_INTERNAL,
              "cannot catch signal %d: %s", signal_number, strerror(errno));
    return COP_OK;
}

cop_status cop_signals_catch(cop_error *err)
{
    pending_signal = 0;
    was_continued = 0;
    COP_TRY(set_handler(SIGTERM, note_signal, err));
    COP_TRY(set_handler(SIGINT, note_signal, err));
    COP_TRY(set_handler(SIGUSR1, note_signal, err));
    COP_TRY(set_handler(SIGCONT, note_continue, err));
    return set_handler(SIGPIPE, SIG_IGN, err);
}

int cop_signals_pending(void)
{
    return pending_signal;
}

bool cop_signals_take_continue(void)
{
    const bool taken = was_continued != 0;
    was_continued = 0;
    return taken;
}
