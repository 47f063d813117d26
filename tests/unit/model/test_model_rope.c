/* Frequencies and tables of the rotary embedding, against those of another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/rope.h"

#include <math.h>

enum { SIZE = 16, PAIRS = SIZE / 2 };

typedef struct rope_case {
    cop_rope rope;
    double factor;
    double frequencies[PAIRS];
} rope_case;

static const rope_case cases[] = {
    {{.kind = COP_ROPE_DEFAULT, .theta = 1e4, .factor = 1.0},
     1.0,
     {1.0, 0.316227766, 0.1, 0.0316227766, 0.01, 0.00316227766, 0.001, 0.000316227766}},
    {{.kind = COP_ROPE_LINEAR, .theta = 1e4, .factor = 4.0},
     1.0,
     {0.25, 0.079056941, 0.0250000004, 0.00790569466, 0.00249999994, 0.000790569466,
      0.000250000012, 7.90569466e-05}},
    {{.kind = COP_ROPE_LLAMA3,
      .theta = 5e5,
      .factor = 8.0,
      .low_frequency_factor = 1.0,
      .high_frequency_factor = 4.0,
      .original_positions = 512.0},
     1.0,
     {1.0, 0.193922758, 0.0273441337, 0.000911583134, 0.000176776681, 3.42810235e-05,
      6.64786967e-06, 1.28917316e-06}},
    {{.kind = COP_ROPE_YARN,
      .theta = 1e4,
      .factor = 4.0,
      .original_positions = 1024.0,
      .beta_fast = 32.0,
      .beta_slow = 1.0,
      .truncate = true},
     1.138629436111989,
     {1.0, 0.316227764, 0.0812500045, 0.0197642371, 0.00437500002, 0.000790569466,
      0.000250000012, 7.90569466e-05}},
    {{.kind = COP_ROPE_YARN,
      .theta = 1e4,
      .factor = 4.0,
      .original_positions = 1024.0,
      .beta_fast = 16.0,
      .beta_slow = 2.0,
      .truncate = false},
     1.138629436111989,
     {1.0, 0.316227764, 0.100000001, 0.0187018048, 0.00249999994, 0.000790569466,
      0.000250000012, 7.90569466e-05}},
    {{.kind = COP_ROPE_YARN,
      .theta = 1e4,
      .factor = 40.0,
      .original_positions = 4096.0,
      .beta_fast = 32.0,
      .beta_slow = 1.0,
      .attention_factor = 1.5,
      .truncate = true},
     1.5,
     {1.0, 0.316227764, 0.100000001, 0.0239147246, 0.00512499968, 0.000849862176,
      2.49999994e-05, 7.90569447e-06}},
};

static void test_frequencies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double got[PAIRS];
        assert_float_equal(cop_rope_frequencies(&cases[i].rope, SIZE, got), cases[i].factor,
                           1e-12);
        for (size_t p = 0; p < PAIRS; p++) {
            const double want = cases[i].frequencies[p];
            if (!(fabs(got[p] - want) <= 5e-7 * want)) {
                fail_msg("case %zu, pair %zu: %.9g, not %.9g", i, p, got[p], want);
            }
        }
    }
}

static void test_table(void **state)
{
    (void)state;
    enum { POSITIONS = 70 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static float table[POSITIONS * SIZE];
        cop_error err = {0};
        double frequencies[PAIRS];
        const double factor = cop_rope_frequencies(&cases[i].rope, SIZE, frequencies);
        assert_int_equal(cop_rope_table(&cases[i].rope, SIZE, POSITIONS, table, &err), COP_OK);
        for (size_t p = 0; p < POSITIONS; p++) {
            for (size_t k = 0; k < PAIRS; k++) {
                const double angle = (double)p * frequencies[k];
                assert_float_equal(table[p * SIZE + k], (float)(factor * cos(angle)), 1e-6F);
                assert_float_equal(table[p * SIZE + PAIRS + k], (float)(factor * sin(angle)),
                                   1e-6F);
            }
        }
    }
}

/* A context so short that even the slowest rotation is none: every pair is interpolated. */
static void test_yarn_short(void **state)
{
    (void)state;
    const cop_rope rope = {.kind = COP_ROPE_YARN,
                           .theta = 1e4,
                           .factor = 2.0,
                           .original_positions = 2.0,
                           .beta_fast = 32.0,
                           .beta_slow = 1.0,
                           .truncate = true};
    double got[PAIRS];
    (void)cop_rope_frequencies(&rope, SIZE, got);
    for (size_t p = 0; p < PAIRS; p++) {
        assert_true(isfinite(got[p]) && got[p] > 0.0);
        assert_true(got[p] <= pow(1e4, -2.0 * (double)p / SIZE) * (1.0 + 1e-12));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_frequencies),
                                       cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_yarn_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
