/* Division into splits: disjoint, uniform, stable. */
#include "unit/formats_support.h"

#include "coppice/base/memory.h"
#include "coppice/data/dataset.h"
#include "coppice/noise/noise.h"

static cop_splits create_ok(size_t total, const size_t counts[COP_SPLIT_COUNT], int64_t seed)
{
    cop_splits splits;
    cop_error err = {0};
    if (cop_splits_create(total, counts, 0, seed, NULL, &splits, &err) != COP_OK)
        fail_msg("%s", err.message);
    return splits;
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(cop_split_name(COP_SPLIT_SUPPORT), "support");
    assert_string_equal(cop_split_name(COP_SPLIT_PROBE), "probe");
    assert_string_equal(cop_split_name(COP_SPLIT_VALIDATE), "validate");
    assert_string_equal(cop_split_name(COP_SPLIT_TEST), "test");
}

static void test_file_order(void **state)
{
    (void)state;
    static const size_t counts[] = {3, 0, 2, 4};
    cop_splits splits = create_ok(10, counts, -1);
    size_t next = 0;
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
        assert_int_equal(splits.counts[s], counts[s]);
        assert_non_null(splits.examples[s]);
        for (size_t i = 0; i < counts[s]; i++)
            assert_int_equal(splits.examples[s][i], next++);
    }
    cop_splits_free(&splits);
    assert_null(splits.examples[0]);
    assert_int_equal(splits.counts[0], 0);
    cop_splits_free(&splits);
}

static void test_disjoint(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int round = 0; round < 200; round++) {
        const size_t total = next_random(&random) % 300;
        size_t counts[COP_SPLIT_COUNT];
        size_t left = total;
        for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
            counts[s] = next_random(&random) % (left + 1);
            left -= counts[s];
        }
        cop_splits splits = create_ok(total, counts, (int64_t)next_random(&random) - 1);
        bool seen[300] = {false};
        for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
            for (size_t i = 0; i < counts[s]; i++) {
                assert_true(splits.examples[s][i] < total);
                assert_false(seen[splits.examples[s][i]]);
                seen[splits.examples[s][i]] = true;
            }
        }
        cop_splits_free(&splits);
    }
}

/* The permutation as dataset.h defines it, once more and plainly. */
static void test_permutation(void **state)
{
    (void)state;
    enum { TOTAL = 50 };
    static const size_t counts[] = {20, 10, 10, 10};
    cop_splits splits = create_ok(TOTAL, counts, 12345);
    size_t order[TOTAL];
    for (size_t i = 0; i < TOTAL; i++)
        order[i] = i;
    for (size_t i = 0; i < TOTAL; i++) { /* none of these few draws is drawn again */
        const size_t j = i + cop_noise_bits(12345, COP_STREAM_SPLITS, 0, i) % (TOTAL - i);
        const size_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
    size_t place = 0;
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
        assert_memory_equal(splits.examples[s], order + place, counts[s] * sizeof order[0]);
        place += counts[s];
    }
    cop_splits_free(&splits);
}

/* A larger test set leaves the other sets as they are. */
static void test_prefix(void **state)
{
    (void)state;
    static const size_t small[] = {40, 20, 20, 1};
    static const size_t large[] = {40, 20, 20, 900};
    cop_splits a = create_ok(1000, small, 7);
    cop_splits b = create_ok(1000, large, 7);
    for (size_t s = 0; s < COP_SPLIT_TEST; s++) {
        assert_memory_equal(a.examples[s], b.examples[s], small[s] * sizeof(size_t));
    }
    assert_int_equal(a.examples[COP_SPLIT_TEST][0], b.examples[COP_SPLIT_TEST][0]);
    cop_splits_free(&a);
    cop_splits_free(&b);
}

/* Each example is first equally often, and seeds differ. */
static void test_uniform(void **state)
{
    (void)state;
    enum { TOTAL = 10, SEEDS = 20000 };
    static const size_t counts[] = {2, 0, 0, 0};
    size_t hits[TOTAL][TOTAL] = {{0}};
    for (int64_t seed = 0; seed < SEEDS; seed++) {
        cop_splits splits = create_ok(TOTAL, counts, seed);
        hits[splits.examples[0][0]][splits.examples[0][1]]++;
        cop_splits_free(&splits);
    }
    double chi = 0;
    const double expected = (double)SEEDS / (TOTAL * (TOTAL - 1));
    for (size_t i = 0; i < TOTAL; i++) {
        for (size_t j = 0; j < TOTAL; j++) {
            if (i == j) continue;
            const double off = (double)hits[i][j] - expected;
            chi += off * off / expected;
        }
    }
    /* 89 degrees of freedom: mean 89, deviation 13.3; five deviations either way. */
    assert_true(chi > 22 && chi < 156);
}

static void test_too_few(void **state)
{
    (void)state;
    static const size_t cases[][COP_SPLIT_COUNT] = {{5, 5, 5, 6},
                                                    {21, 0, 0, 0},
                                                    {SIZE_MAX, 1, 0, 0},
                                                    {1, SIZE_MAX, 0, 0},
                                                    {0, 0, SIZE_MAX, SIZE_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_splits splits;
        cop_error err = {0};
        assert_int_equal(cop_splits_create(20, cases[i], 0, 1, NULL, &splits, &err),
                         COP_ERR_CONFIG);
        assert_non_null(strstr(err.message, "the data set has 20"));
        assert_null(splits.examples[0]);
    }
    cop_splits splits = create_ok(0, (const size_t[]){0, 0, 0, 0}, 1);
    cop_splits_free(&splits);
}

/* Every prompt stands in the data four times: no prompt is in two splits, every split is full,
 * the first of a split is whom the permutation alone would have put there. */
static void test_equal_prompts(void **state)
{
    (void)state;
    enum { TOTAL = 400 };
    static const size_t counts[] = {50, 21, 40, 101};
    uint64_t keys[TOTAL];
    int split_of[TOTAL / 4];
    for (size_t i = 0; i < TOTAL; i++)
        keys[i] = i % (TOTAL / 4) * UINT64_C(0x9E3779B97F4A7C15);
    for (int64_t seed = -1; seed < 20; seed++) {
        cop_splits splits;
        cop_error err = {0};
        if (cop_splits_create(TOTAL, counts, 0, seed, keys, &splits, &err) != COP_OK)
            fail_msg("%s", err.message);
        assert_int_equal(splits.repeated, 300);
        cop_splits plain = create_ok(TOTAL, counts, seed);
        assert_int_equal(splits.examples[0][0], plain.examples[0][0]);
        bool used[TOTAL] = {false};
        memset(split_of, -1, sizeof split_of);
        for (int s = 0; s < COP_SPLIT_COUNT; s++) {
            for (size_t i = 0; i < counts[s]; i++) {
                const size_t example = splits.examples[s][i];
                int *const home = &split_of[example % (TOTAL / 4)];
                assert_true(example < TOTAL && !used[example]);
                assert_true(*home == -1 || *home == s);
                used[example] = true;
                *home = s;
            }
        }
        cop_splits_free(&plain);
        cop_splits_free(&splits);
    }
}

/* Keys that all differ change nothing; too few different prompts are an error that says so. */
static void test_keys(void **state)
{
    (void)state;
    static const size_t counts[] = {5, 3, 2, 6};
    uint64_t keys[20];
    for (size_t i = 0; i < 20; i++)
        keys[i] = ~(uint64_t)i;
    cop_splits splits;
    cop_error err = {0};
    assert_int_equal(cop_splits_create(20, counts, 0, 7, keys, &splits, &err), COP_OK);
    assert_int_equal(splits.repeated, 0);
    cop_splits plain = create_ok(20, counts, 7);
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++)
        assert_memory_equal(splits.examples[s], plain.examples[s], counts[s] * sizeof(size_t));
    cop_splits_free(&plain);
    cop_splits_free(&splits);
    for (size_t i = 0; i < 20; i++)
        keys[i] = i / 10;
    assert_int_equal(cop_splits_create(20, counts, 0, 7, keys, &splits, &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "18 of the data set's 20 have a prompt that another"));
    assert_null(splits.examples[0]);
}

/* The pool is what the permutation has next; asking for it leaves the splits as they are. */
static void test_pool(void **state)
{
    (void)state;
    static const size_t counts[] = {20, 10, 10, 10};
    static const size_t longer[] = {20, 10, 10, 25};
    for (int64_t seed = -1; seed < 5; seed++) {
        cop_splits splits;
        cop_error err = {0};
        cop_splits plain = create_ok(100, counts, seed);
        cop_splits more = create_ok(100, longer, seed);
        assert_int_equal(plain.pool_count, 0);
        assert_int_equal(cop_splits_create(100, counts, 15, seed, NULL, &splits, &err), COP_OK);
        assert_int_equal(splits.pool_count, 15);
        for (size_t s = 0; s < COP_SPLIT_COUNT; s++)
            assert_memory_equal(splits.examples[s], plain.examples[s],
                                counts[s] * sizeof(size_t));
        assert_memory_equal(splits.pool, more.examples[COP_SPLIT_TEST] + 10,
                            15 * sizeof(size_t));
        cop_splits_free(&splits);
        /* No more than there is. */
        assert_int_equal(cop_splits_create(52, counts, 15, seed, NULL, &splits, &err), COP_OK);
        assert_int_equal(splits.pool_count, 2);
        size_t count = 0;
        size_t *const all = cop_splits_list(&splits, &count, &err);
        bool seen[52] = {false};
        assert_int_equal(count, 52);
        assert_memory_equal(all + 50, splits.pool, 2 * sizeof(size_t));
        for (size_t i = 0; i < count; i++) {
            assert_false(seen[all[i]]);
            seen[all[i]] = true;
        }
        cop_memory_free(all);
        cop_splits_free(&splits);
        assert_null(splits.pool);
        cop_splits_free(&more);
        cop_splits_free(&plain);
    }
}

/* Guards' examples follow all others, by numbers beyond the data set's. */
static void test_guards(void **state)
{
    (void)state;
    static const size_t counts[] = {4, 3, 2, 1};
    static const size_t first[] = {3, 0, 5};
    static const size_t second[] = {1};
    cop_error err = {0};
    cop_splits splits = create_ok(20, counts, 1);
    assert_int_equal(cop_splits_add_guard(&splits, first, 3, 20, &err), COP_OK);
    assert_int_equal(cop_splits_add_guard(&splits, second, 1, 27, &err), COP_OK);
    assert_int_equal(splits.guard_count, 2);
    static const size_t starts[] = {0, 3, 4};
    static const size_t guarded[] = {23, 20, 25, 28};
    assert_memory_equal(splits.guard_start, starts, sizeof starts);
    assert_memory_equal(splits.guarded, guarded, sizeof guarded);
    size_t count = 0;
    size_t *const all = cop_splits_list(&splits, &count, &err);
    assert_int_equal(count, 14);
    assert_memory_equal(all + 10, guarded, sizeof guarded);
    cop_memory_free(all);
    cop_splits_free(&splits);
    assert_null(splits.guarded);
    assert_int_equal(splits.guard_count, 0);
}

/* No prompt of a split is in the pool, not even one that its split had no room for. */
static void test_pool_of_equal_prompts(void **state)
{
    (void)state;
    enum { TOTAL = 60 };
    static const size_t counts[] = {7, 5, 6, 9};
    uint64_t keys[TOTAL];
    for (size_t i = 0; i < TOTAL; i++)
        keys[i] = i % (TOTAL / 3);
    for (int64_t seed = -1; seed < 20; seed++) {
        cop_splits splits;
        cop_error err = {0};
        bool taken[TOTAL / 3] = {false};
        size_t left = 0;
        assert_int_equal(cop_splits_create(TOTAL, counts, TOTAL, seed, keys, &splits, &err),
                         COP_OK);
        for (int s = 0; s < COP_SPLIT_COUNT; s++) {
            for (size_t i = 0; i < counts[s]; i++)
                taken[splits.examples[s][i] % (TOTAL / 3)] = true;
        }
        for (size_t p = 0; p < TOTAL / 3; p++)
            left += taken[p] ? 0 : 3;
        assert_int_equal(splits.pool_count, left);
        assert_true(left > 0);
        for (size_t i = 0; i < splits.pool_count; i++)
            assert_false(taken[splits.pool[i] % (TOTAL / 3)]);
        cop_splits_free(&splits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_file_order),
        cmocka_unit_test(test_disjoint), cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_prefix),   cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_too_few),  cmocka_unit_test(test_equal_prompts),
        cmocka_unit_test(test_keys),     cmocka_unit_test(test_pool),
        cmocka_unit_test(test_guards),   cmocka_unit_test(test_pool_of_equal_prompts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
