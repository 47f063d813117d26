/* Time and durations. */
#include "coppice/base/timer.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <setjmp.h>

#include <cmocka.h>

static void test_format(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {0, "0 s"},
        {-5, "0 s"},
        {0.4, "0 s"},
        {0.6, "1 s"},
        {8, "8 s"},
        {59.4, "59 s"},
        {59.6, "1:00"},
        {60, "1:00"},
        {187, "3:07"},
        {3599.4, "59:59"},
        {3599.6, "1:00:00"},
        {3600, "1:00:00"},
        {8109, "2:15:09"},
        {360000, "100:00:00"},
        {999999999, "277777:46:39"},
        {1e9, "?"},
        {1e300, "?"},
        {INFINITY, "?"},
        {-INFINITY, "0 s"},
        {NAN, "?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[16];
        cop_timer_format(text, sizeof text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
    char small[4];
    cop_timer_format(small, sizeof small, 8109);
    assert_string_equal(small, "2:1");
}

static void test_clock(void **state)
{
    (void)state;
    double last = cop_timer_now_s();
    for (int i = 0; i < 100000; i++) {
        const double now = cop_timer_now_s();
        assert_true(now >= last);
        last = now;
    }
}

static void test_sleep(void **state)
{
    (void)state;
    const double start = cop_timer_now_s();
    cop_timer_sleep(0.02);
    assert_true(cop_timer_now_s() - start >= 0.02);
    const double before = cop_timer_now_s();
    cop_timer_sleep(0);
    cop_timer_sleep(-1);
    cop_timer_sleep(-INFINITY);
    cop_timer_sleep(NAN);
    assert_true(cop_timer_now_s() - before < 10);
}

static void on_alarm(int number)
{
    (void)number;
}

static void test_a_signal_ends_a_sleep(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction old;
    assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
    static const double spans[] = {100, 1e12, INFINITY};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        /* Rings again, should the first come before the sleep. */
        const struct itimerval ring = {.it_value = {.tv_usec = 20000},
                                       .it_interval = {.tv_usec = 20000}};
        const struct itimerval off = {0};
        const double start = cop_timer_now_s();
        assert_int_equal(setitimer(ITIMER_REAL, &ring, NULL), 0);
        cop_timer_sleep(spans[i]);
        assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
        assert_true(cop_timer_now_s() - start < 50);
    }
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
}

static void test_utc(void **state)
{
    (void)state;
    char text[21];
    const time_t before = time(NULL);
    cop_timer_utc(text, sizeof text);
    const time_t after = time(NULL);
    struct tm parts = {0};
    char end = 0;
    assert_int_equal(strlen(text), 20);
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%c", &parts.tm_year, &parts.tm_mon,
                            &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end),
                     7);
    assert_int_equal(end, 'Z');
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    const time_t told = timegm(&parts);
    assert_true(told >= before && told <= after);
    char small[10];
    cop_timer_utc(small, sizeof small);
    assert_string_equal(small, "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format), cmocka_unit_test(test_clock),
        cmocka_unit_test(test_sleep),  cmocka_unit_test(test_a_signal_ends_a_sleep),
        cmocka_unit_test(test_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
