#include "queue/mpi_check.h"

#include "coppice/base/timer.h"

#include <assert.h>
#include <string.h>

cop_status cop_mpi_check(int code, const char *call, cop_error *err)
{
    if (code == MPI_SUCCESS) return COP_OK;
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length = 0;
    (void)MPI_Error_string(code, text, &length);
    return cop_error_set(err, COP_ERR_MPI, "%.*s: %s", (int)strcspn(call, "("), call, text);
}

void cop_mpi_pause(double *pause_s, double longest_s)
{
    assert(longest_s > 0);
    static const double shortest_s = 20e-6;
    *pause_s = *pause_s < shortest_s ? shortest_s : *pause_s * 1.5;
    if (*pause_s > longest_s) *pause_s = longest_s;
    cop_timer_sleep(*pause_s);
}

cop_status cop_mpi_wait(MPI_Request *request, cop_error *err)
{
    double pause_s = 0;
    for (;;) {
        int done = 0;
        MPI_TRY(MPI_Test(request, &done, MPI_STATUS_IGNORE));
        if (done) return COP_OK;
        cop_mpi_pause(&pause_s, 1e-3);
    }
}
