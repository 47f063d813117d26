/* A search over a hundred thousand candidates: what it takes of memory, and of time for the run
 * file. Figures of time are printed; only memory is asserted. */
#include "unit/folder_support.h"
#include "unit/method/toy.h"

#include "coppice/base/timer.h"
#include "coppice/report/report.h"

#include <stdlib.h>

enum { CANDIDATES = 100000, LIMIT_MIB = 300 };

/* A sanitizer has memory of its own, which is nobody's here. */
static void assert_little(uint64_t peak_bytes)
{
    if (getenv("COPPICE_SANITIZED") == NULL)
        assert_true(peak_bytes < (uint64_t)LIMIT_MIB << 20);
}

static void a_hundred_thousand_candidates(void **state)
{
    (void)state;
    const char *const large[] = {"population.size=100000",
                                 "splits.support=16",
                                 "consolidate.q=[0.5, 0.7, 0.9]",
                                 "consolidate.beta=[0.5, 1, 2, 5, 10, 20, 50]",
                                 "consolidate.scale=[0.5, 1, 2, 4, 8, 16]",
                                 "consolidate.max_scale=64",
                                 "recenter.size=100"};
    toy t;
    bool improved = false;
    cop_error err = {0};
    toy_set_up(&t, "corp", large, sizeof large / sizeof large[0], NULL);
    t.splits.counts[COP_SPLIT_SUPPORT] = 16;
    t.due_every = 10000;
    const double start_s = cop_timer_now_s();
    assert_int_equal(toy_run(&t, &improved, &err), COP_OK);
    const double run_s = cop_timer_now_s() - start_s;
    assert_true(improved);
    const uint64_t peak = cop_memory_peak_bytes();
    print_message("search: %.1f s, peak %.0f MiB\n", run_s, (double)peak / (1 << 20));
    assert_little(peak);

    char folder[FOLDER_BYTES];
    char path[FOLDER_BYTES + 16];
    assert_int_equal(folder_create(folder), 0);
    (void)snprintf(path, sizeof path, "%s/run.h5", folder);
    const double write_s = cop_timer_now_s();
    assert_int_equal(cop_store_write(t.store, path, &err), COP_OK);
    const double inspect_s = cop_timer_now_s();
    cop_text text = {0};
    assert_int_equal(cop_run_inspect(path, false, &text, &err), COP_OK);
    print_message("checkpoint: %.2f s; inspect: %.2f s; peak %.0f MiB\n", inspect_s - write_s,
                  cop_timer_now_s() - inspect_s, (double)cop_memory_peak_bytes() / (1 << 20));
    assert_little(cop_memory_peak_bytes());
    cop_text_free(&text);
    assert_int_equal(folder_remove(folder), 0);
    toy_take_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hundred_thousand_candidates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
