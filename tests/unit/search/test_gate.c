/* Paired comparison and the gate. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/search/search.h"

#include <math.h>

enum { MOST = 200 };

static const cop_measure right = {.correct_at = 1.0};
static const cop_measure reward = {.on_reward = true, .correct_at = 1.0};

static void check_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("%.17g, expected %.17g", got, want);
}

static void test_paired(void **state)
{
    (void)state;
    /* fix, kept right, kept wrong, regression, fix; only scores of 1 or more are right */
    const float scores[] = {1.1f, 1.0f, 0.1f, 0.1f, 1.06f};
    const float centre[] = {0.1f, 1.1f, 0.0f, 1.05f, 0.0f};
    const cop_paired paired = cop_paired_compare(scores, centre, 5, &right, 2.0);
    assert_int_equal(paired.fixes, 2);
    assert_int_equal(paired.regressions, 1);
    check_near(paired.constructive, 0.0, 1e-15);
    check_near(paired.mean, 0.2, 1e-15);
    check_near(paired.sd, sqrt(0.7), 1e-15); /* of 1 0 0 -1 1 */
    const cop_paired none = cop_paired_compare(scores, centre, 0, &right, 2.0);
    assert_true(none.fixes == 0 && none.constructive == 0.0 && none.sd == 0.0);
    const cop_paired one = cop_paired_compare(scores, centre, 1, &right, 2.0);
    assert_true(one.mean == 1.0 && one.sd == 0.0);
}

/* Against the deviation from its definition, over all patterns of a small generator. */
static void test_paired_deviation(void **state)
{
    (void)state;
    uint32_t x = 1;
    for (size_t n = 2; n < MOST; n++) {
        float scores[MOST], centre[MOST];
        double mean = 0.0;
        double square = 0.0;
        for (size_t i = 0; i < n; i++) {
            x = x * 1664525u + 1013904223u;
            scores[i] = (float)((x >> 20) & 1u);
            centre[i] = (float)((x >> 25) & 1u);
            mean += (double)(scores[i] - centre[i]) / (double)n;
        }
        for (size_t i = 0; i < n; i++)
            square += pow((double)(scores[i] - centre[i]) - mean, 2.0);
        const cop_paired paired = cop_paired_compare(scores, centre, n, &right, 2.0);
        check_near(paired.mean, mean, 1e-13);
        check_near(paired.sd, sqrt(square / (double)(n - 1)), 1e-13);
    }
}

static void test_raise_z(void **state)
{
    (void)state;
    check_near(cop_gate_raise_z(1.0, 1), 1.0, 0.0);
    check_near(cop_gate_raise_z(1.0, 0), 1.0, 0.0);
    check_near(cop_gate_raise_z(1.0, 2), 1.4096087092934546, 1e-14);
    check_near(cop_gate_raise_z(1.0, 3), 1.6175010496487051, 1e-14);
    check_near(cop_gate_raise_z(1.0, 10), 2.1477823374724053, 1e-14);
    check_near(cop_gate_raise_z(0.0, 2), 0.67448975019608174, 1e-14);
    assert_true(cop_gate_raise_z(60.0, 3) == 60.0); /* beyond what a double can tell apart */
}

static void test_decide(void **state)
{
    (void)state;
    float centre[MOST] = {0};
    float proposal[MOST] = {0};
    for (size_t i = 0; i < 20; i++)
        proposal[i] = 1.0f;
    for (size_t i = 20; i < 25; i++)
        centre[i] = 1.0f;
    const cop_gate_decision yes = cop_gate_decide(proposal, centre, 100, &right, 2.0, 1.0);
    assert_int_equal(yes.paired.fixes, 20);
    assert_int_equal(yes.paired.regressions, 5);
    check_near(yes.bound, 0.15 - sqrt((25.0 - 100.0 * 0.0225) / 99.0) / 10.0, 1e-15);
    assert_true(yes.accepted && yes.count == 100 && yes.z == 1.0);
    assert_false(cop_gate_decide(proposal, centre, 100, &right, 2.0, 4.0).accepted);
    /* Surely better on average, but too many regressions for their weight. */
    const cop_gate_decision no = cop_gate_decide(proposal, centre, 100, &right, 4.0, 1.0);
    assert_true(no.bound > 0.0 && !no.accepted);
    assert_false(cop_gate_decide(centre, proposal, 100, &right, 2.0, 1.0).accepted);
    assert_false(cop_gate_decide(centre, centre, 100, &right, 2.0, 1.0).accepted);
    assert_false(cop_gate_decide(proposal, centre, 0, &right, 2.0, 1.0).accepted);
}

/* Graded rewards that never reach what counts as right: invisible to correctness, and decided
 * by their size where the measure is the reward. */
static void test_reward_decides(void **state)
{
    (void)state;
    float centre[MOST] = {0};
    float proposal[MOST] = {0};
    for (size_t i = 0; i < 100; i++) {
        centre[i] = -4.0F + (float)(i % 3);
        proposal[i] = centre[i] + (i % 4 == 3 ? -0.25F : 0.5F);
    }
    const cop_gate_decision blind = cop_gate_decide(proposal, centre, 100, &right, 2.0, 1.0);
    assert_true(blind.paired.fixes == 0 && blind.paired.mean == 0.0 && !blind.accepted);
    const cop_gate_decision seen = cop_gate_decide(proposal, centre, 100, &reward, 2.0, 1.0);
    assert_true(seen.paired.fixes == 75 && seen.paired.regressions == 25);
    check_near(seen.paired.mean, 0.3125, 1e-15);
    check_near(seen.paired.constructive, 0.25, 1e-15); /* (37.5 - 2 * 6.25) / 100 */
    check_near(seen.paired.sd, sqrt((75 * 0.1875 * 0.1875 + 25 * 0.5625 * 0.5625) / 99.0),
               1e-14);
    assert_true(seen.accepted);
    assert_false(cop_gate_decide(centre, proposal, 100, &reward, 2.0, 1.0).accepted);
    assert_false(cop_gate_decide(proposal, centre, 100, &reward, 8.0, 1.0).accepted);
}

/* One better and nobody worse, or three and one: the bound of z = 1 is 0, and so not above it,
 * on any number of examples, by either measure, whatever rounding makes of it. Likewise that of
 * a guard: one of n worse is 2 / n below the base. */
static void test_bounds_at_the_limit(void **state)
{
    (void)state;
    for (size_t n = 4; n <= MOST; n++) {
        for (size_t worse = 0; worse <= 1 && n > 4 * worse; worse++) {
            float centre[MOST] = {0};
            float proposal[MOST] = {0};
            for (size_t i = 0; i < 1 + 2 * worse; i++)
                proposal[i] = 1.0F;
            for (size_t i = 0; i < worse; i++)
                centre[n - 1 - i] = 1.0F;
            const cop_gate_decision a = cop_gate_decide(proposal, centre, n, &right, 2, 1);
            const cop_gate_decision b = cop_gate_decide(proposal, centre, n, &reward, 2, 1);
            check_near(a.bound, 0, 1e-15);
            check_near(b.bound, 0, 1e-15);
            if (a.accepted || b.accepted) fail_msg("%zu worse of %zu: accepted", worse, n);
            proposal[1 + 2 * worse] = 1.0F;
            assert_true(cop_gate_decide(proposal, centre, n, &right, 2, 1).accepted);
        }
        float base[MOST] = {1.0F};
        const float now[MOST] = {0};
        const double limit = 2.0 / (double)n;
        for (int on = 0; on < 2; on++) {
            const cop_measure *const measure = on ? &reward : &right;
            assert_false(cop_guard_decide(now, base, n, measure, limit, 1).accepted);
            assert_true(
                cop_guard_decide(now, base, n, measure, limit * (1 + 1e-6), 1).accepted);
        }
    }
}

/* On rewards of 0 and 1 both measures are one. */
static void test_measures_agree(void **state)
{
    (void)state;
    uint32_t x = 7;
    float scores[MOST], centre[MOST];
    for (size_t i = 0; i < MOST; i++) {
        x = x * 1664525u + 1013904223u;
        scores[i] = (float)((x >> 20) & 1u);
        centre[i] = (float)((x >> 25) & 1u);
    }
    const cop_paired a = cop_paired_compare(scores, centre, MOST, &right, 2.0);
    const cop_paired b = cop_paired_compare(scores, centre, MOST, &reward, 2.0);
    assert_true(a.fixes == b.fixes && a.regressions == b.regressions && a.mean == b.mean &&
                a.constructive == b.constructive);
    check_near(a.sd, b.sd, 1e-13);
    assert_true(cop_measure_mean(&right, scores, MOST) ==
                cop_measure_mean(&reward, scores, MOST));
    assert_true(cop_measure_mean(&right, scores, 0) == 0.0);
}

/* Against the bound from its definition; above minus the loss, or nobody worse. */
static void test_guard(void **state)
{
    (void)state;
    const float base[] = {-2.0f, -3.0f, -1.0f, -4.0f};
    const float now[] = {-2.5f, -3.0f, -1.25f, -3.75f}; /* -0.5, 0, -0.25, 0.25 */
    const double sd = sqrt((0.375 * 0.375 + 0.125 * 0.125 + 0.125 * 0.125 + 0.375 * 0.375) / 3);
    const cop_guard_decision d = cop_guard_decide(now, base, 4, &reward, 0.5, 1.5);
    check_near(d.base, -2.5, 1e-12);
    check_near(d.mean, -2.625, 1e-12);
    check_near(d.paired.mean, -0.125, 1e-12);
    check_near(d.bound, -0.125 - 1.5 * sd / 2, 1e-12);
    assert_int_equal(d.paired.regressions, 2);
    assert_true(d.accepted); /* -0.367 */
    assert_false(cop_guard_decide(now, base, 4, &reward, 0.36, 1.5).accepted);
    assert_true(cop_guard_decide(now, base, 4, &reward, 0.37, 1.5).accepted);
    assert_false(cop_guard_decide(now, base, 4, &reward, 0.5, 3).accepted);
    /* At the bound itself it is not above: one of four is worse by a half, without z. */
    const float one[] = {-2.5f, -3.0f, -1.0f, -4.0f};
    assert_false(cop_guard_decide(one, base, 4, &reward, 0.125, 0).accepted);
    assert_true(cop_guard_decide(one, base, 4, &reward, 0.126, 0).accepted);
}

/* Nobody worse is no harm, even where nothing may be lost. */
static void test_guard_without_loss(void **state)
{
    (void)state;
    const float base[] = {1.0f, 0.0f, 1.0f, 0.0f};
    const float better[] = {1.0f, 1.0f, 1.0f, 0.0f};
    const float worse[] = {1.0f, 1.0f, 0.0f, 0.0f};
    assert_true(cop_guard_decide(base, base, 4, &right, 0, 1).accepted);
    const cop_guard_decision d = cop_guard_decide(better, base, 4, &right, 0, 3);
    assert_true(d.accepted && d.bound < 0);
    check_near(d.base, 0.5, 0);
    check_near(d.mean, 0.75, 0);
    assert_false(cop_guard_decide(worse, base, 4, &right, 0, 1).accepted);
    assert_false(cop_guard_decide(base, base, 0, &right, 1, 1).accepted);
}

static cop_guard_decision said(double mean, double bound, double loss)
{
    return (cop_guard_decision){.paired = {.mean = mean}, .bound = bound, .loss = loss};
}

/* Harm of the power that is assumed, and doubt of the first, make nine tenths of what is
 * allowed, beyond what the centre has of both. */
static void test_shorter_steps_lose_what_is_allowed(void **state)
{
    (void)state;
    uint64_t bits = 7;
    size_t most = 0;
    size_t none = 0;
    for (size_t i = 0; i < 1000; i++) {
        double u[5];
        for (size_t k = 0; k < 5; k++) {
            bits = bits * 6364136223846793005U + 1442695040888963407U;
            u[k] = (double)(bits >> 40) / (double)(1 << 24);
        }
        const double loss = u[0] + 1e-3;
        const double doubt = u[2] * loss + 1e-6;
        const double mean = -(loss - doubt) - u[3] * 3 - 1e-6;
        const double start = loss * (u[1] - 0.5);
        const cop_guard_decision d = said(mean, mean - doubt, loss);
        const cop_guard_decision centre = said(start, start - u[4] * loss / 3, loss);
        for (int power = 1; power <= 2; power++) {
            const double share = cop_guard_shorten(&d, &centre, power);
            const double room = 0.9 * (loss + centre.bound);
            const double harm = fmax(start - mean, 0);
            const double more = fmax(doubt - u[4] * loss / 3, 0);
            assert_true(share == 0 || (share >= 0.1 && share <= 0.75));
            const double at = share == 0 ? 0.1 : share;
            const double taken = harm * pow(at, power) + more * at;
            if (share == 0) assert_true(taken > room - 1e-9);
            if (share == 0.75) assert_true(taken < room + 1e-9);
            if (share > 0 && share < 0.75) check_near(taken, room, 1e-9);
            most += share == 0.75;
            none += share == 0;
        }
    }
    print_message("%zu of 2000 at the longest, %zu too short\n", most, none);
    assert_true(most > 20 && most < 1000 && none > 20 && none < 1000);
}

static void test_shorter_steps_at_the_edges(void **state)
{
    (void)state;
    const cop_guard_decision far = said(-0.12, -0.125, 0.02);
    const cop_guard_decision half = said(-0.01, -0.01, 0.02);
    const cop_guard_decision gone = said(-0.015, -0.02, 0.02);
    check_near(cop_guard_shorten(&far, NULL, 1), 0.018 / 0.125, 1e-12);
    check_near(cop_guard_shorten(&far, NULL, 2), 0.367025, 1e-6);
    check_near(cop_guard_shorten(&far, &half, 2), 0.264213, 1e-6); /* half is gone */
    /* Better in the mean, but one cannot be sure. */
    const cop_guard_decision unsure = said(0.01, -0.05, 0.02);
    check_near(cop_guard_shorten(&unsure, NULL, 1), 0.018 / 0.06, 1e-12);
    check_near(cop_guard_shorten(&unsure, NULL, 2), 0.018 / 0.06, 1e-12);
    /* Hardly any harm is no matter for the root. */
    const cop_guard_decision hardly = said(-1e-18, -0.05, 0.02);
    check_near(cop_guard_shorten(&hardly, NULL, 2), 0.018 / 0.05, 1e-12);
    /* Nothing is allowed, all of it is gone, or next to nothing is left of the step. */
    const cop_guard_decision strict = said(-0.1, -0.2, 0);
    assert_true(cop_guard_shorten(&strict, NULL, 2) == 0);
    assert_true(cop_guard_shorten(&far, &gone, 1) == 0);
    assert_true(cop_guard_shorten(&far, &half, 1) == 0); /* 0.08 */
    /* Not finite. */
    const cop_guard_decision broken = said(NAN, NAN, 0.02);
    check_near(cop_guard_shorten(&broken, NULL, 1), 0.75, 0);
    check_near(cop_guard_shorten(&broken, &half, 2), 0.75, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shorter_steps_lose_what_is_allowed),
        cmocka_unit_test(test_shorter_steps_at_the_edges),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_guard_without_loss),
        cmocka_unit_test(test_paired),
        cmocka_unit_test(test_paired_deviation),
        cmocka_unit_test(test_raise_z),
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_reward_decides),
        cmocka_unit_test(test_measures_agree),
        cmocka_unit_test(test_bounds_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
