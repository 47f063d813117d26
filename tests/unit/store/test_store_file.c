/* The run file on disk: what is written comes back, here and in other programs. */
#include "unit/store/store_support.h"

#include "coppice/base/timer.h"

#include <math.h>
#include <sys/wait.h>

static const struct {
    int rank;
    uint64_t shape[COP_STORE_MAX_RANK];
} shapes[] = {{0, {0}},           {1, {0}},         {1, {1}},       {1, {7}},
              {1, {40000}},       {2, {0, 5}},      {2, {5, 0}},    {2, {3, 4}},
              {2, {2, 70000}},    {2, {9000, 3}},   {3, {2, 3, 4}}, {3, {1, 0, 4}},
              {3, {3, 2, 30000}}, {3, {300, 20, 4}}};

static size_t count_of(const cop_store_array *array)
{
    size_t count = 1;
    for (int d = 0; d < array->rank; d++)
        count *= (size_t)array->shape[d];
    return count;
}

static size_t bytes_of(cop_store_type type)
{
    return type == COP_STORE_U8 ? 1 : type == COP_STORE_F32 ? 4 : 8;
}

/* Random bits, NaN and infinity among them. */
static void *random_bits(size_t bytes, uint64_t *random)
{
    uint64_t *const data = malloc((bytes / 8 + 1) * 8);
    assert_non_null(data);
    for (size_t i = 0; i <= bytes / 8; i++)
        data[i] = draw(random);
    return data;
}

static const char **random_texts(size_t count, uint64_t *random)
{
    static const char *const some[] = {"",
                                       "a",
                                       "\xe2\x82\xac 5",
                                       "line\nline\ttab",
                                       "\xff not utf-8",
                                       "a rather longer text than the others"};
    const char **const texts = malloc((count + 1) * sizeof *texts);
    assert_non_null(texts);
    for (size_t i = 0; i < count; i++)
        texts[i] = some[draw(random) % 6];
    return texts;
}

static void assert_same_array(const cop_store_array *a, const cop_store_array *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->rank, b->rank);
    for (int d = 0; d < a->rank; d++)
        assert_int_equal(a->shape[d], b->shape[d]);
    const size_t count = count_of(a);
    if (a->type != COP_STORE_TEXT) {
        assert_memory_equal(a->data, b->data, count * bytes_of(a->type));
        return;
    }
    const char *const *const texts_a = a->data;
    const char *const *const texts_b = b->data;
    for (size_t i = 0; i < count; i++)
        assert_string_equal(texts_a[i], texts_b[i]);
}

/* Every type in every shape, all in one file. */
static void test_round_trip(void **state)
{
    (void)state;
    enum { SHAPES = sizeof shapes / sizeof shapes[0] };
    uint64_t random = 3;
    cop_error err = {0};
    cop_store *store = NULL;
    cop_store *back = NULL;
    assert_int_equal(cop_store_create(&store, &err), COP_OK);
    for (int type = COP_STORE_F32; type <= COP_STORE_TEXT; type++) {
        for (size_t i = 0; i < SHAPES; i++) {
            cop_store_array array = {.type = (cop_store_type)type, .rank = shapes[i].rank};
            memcpy(array.shape, shapes[i].shape, sizeof array.shape);
            const size_t count = count_of(&array);
            void *const data = type == COP_STORE_TEXT
                                   ? (void *)random_texts(count, &random)
                                   : random_bits(count * bytes_of(array.type), &random);
            char path[64];
            (void)snprintf(path, sizeof path, "/type%d/shape %zu/\xc3\xa4", type, i);
            array.data = data;
            assert_int_equal(cop_store_set(store, path, &array, i % 2 == 0 ? "unit" : NULL,
                                           i % 3 == 0 ? "" : NULL, &err),
                             COP_OK);
            free(data);
        }
    }
    assert_int_equal(cop_store_write(store, in_folder("all.h5"), &err), COP_OK);
    assert_int_equal(cop_store_read(in_folder("all.h5"), &back, &err), COP_OK);
    assert_int_equal(cop_store_count(back), cop_store_count(store));
    for (size_t i = 0; i < cop_store_count(store); i++) {
        const char *const path = cop_store_path_at(store, i);
        assert_string_equal(cop_store_path_at(back, i), path);
        assert_same_array(cop_store_get(store, path), cop_store_get(back, path));
    }
    assert_true(same_tree(store, back)); /* units and meanings as well */
    cop_store_destroy(&back);
    cop_store_destroy(&store);
}

static void test_empty_tree(void **state)
{
    (void)state;
    cop_store *store = NULL;
    assert_int_equal(cop_store_create(&store, NULL), COP_OK);
    assert_int_equal(cop_store_write(store, in_folder("empty.h5"), NULL), COP_OK);
    cop_store_destroy(&store);
    assert_int_equal(cop_store_read(in_folder("empty.h5"), &store, NULL), COP_OK);
    assert_int_equal(cop_store_count(store), 0);
    cop_store_destroy(&store);
}

static void test_extremes(void **state)
{
    (void)state;
    cop_store *store = NULL;
    cop_error err = {0};
    char path[1024];
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 32 == 0 ? '/' : 'n';
    path[1023] = '\0';
    const size_t length = 3000000;
    char *const text = malloc(length + 1);
    assert_non_null(text);
    memset(text, 'x', length);
    text[length] = '\0';
    assert_int_equal(cop_store_create(&store, &err), COP_OK);
    assert_int_equal(cop_store_set_text(store, path, text, text, &err), COP_OK);
    assert_int_equal(cop_store_set_f64(store, "/nan", NAN, NULL, NULL, &err), COP_OK);
    for (int i = 0; i < 3000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "/many/%d/value", i);
        assert_int_equal(cop_store_set_i64(store, name, i, "1", "one of many", &err), COP_OK);
    }
    assert_int_equal(cop_store_write(store, in_folder("big.h5"), &err), COP_OK);
    cop_store *back = NULL;
    assert_int_equal(cop_store_read(in_folder("big.h5"), &back, &err), COP_OK);
    assert_true(same_tree(store, back));
    free(text);
    cop_store_destroy(&back);
    cop_store_destroy(&store);
}

static size_t read_bytes(const char *path, char *bytes, size_t most)
{
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    const size_t got = fread(bytes, 1, most, file);
    assert_int_equal(fclose(file), 0);
    return got;
}

/* The same tree gives the same bytes, whenever and wherever it is written. */
static void test_bytes_repeat(void **state)
{
    (void)state;
    static char a[262144];
    static char b[262144];
    write_generation(in_folder("a.h5"), 1, 2000);
    (void)sleep(1); /* times in seconds must not be in it */
    write_generation(in_folder("b.h5"), 1, 2000);
    const size_t length = read_bytes(in_folder("a.h5"), a, sizeof a);
    assert_true(length > 128000 && length < sizeof a);
    assert_int_equal(read_bytes(in_folder("b.h5"), b, sizeof b), length);
    assert_memory_equal(a, b, length);
}

static void test_generations(void **state)
{
    (void)state;
    const char *const path = in_folder("run.h5");
    write_generation(path, 1, 10);
    assert_false(file_exists(in_folder("run.h5.prev")));
    /* leftovers of a run that was killed */
    for (int i = 0; i < 2; i++) {
        FILE *const stale = fopen(in_folder(i == 0 ? "run.h5.tmp" : "run.h5.prev.tmp"), "w");
        assert_non_null(stale);
        assert_true(fputs("stale", stale) >= 0);
        assert_int_equal(fclose(stale), 0);
    }
    assert_int_equal(read_generation(path, 10), 1);
    write_generation(path, 2, 300);
    assert_int_equal(read_generation(path, 300), 2);
    assert_int_equal(read_generation(in_folder("run.h5.prev"), 10), 1);
    write_generation(path, 3, 20);
    assert_int_equal(read_generation(path, 20), 3);
    assert_int_equal(read_generation(in_folder("run.h5.prev"), 300), 2);
    assert_false(file_exists(in_folder("run.h5.tmp")));
    assert_false(file_exists(in_folder("run.h5.prev.tmp")));
}

/* A name without a folder is one in the current directory. */
static void test_relative_path(void **state)
{
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    write_generation("relative.h5", 1, 10);
    write_generation("relative.h5", 2, 10);
    assert_int_equal(read_generation("relative.h5.prev", 10), 1);
    assert_int_equal(chdir(before), 0);
}

static void test_h5py(void **state)
{
    (void)state;
    static const char script[] =
        "import sys\n"
        "try:\n"
        "    import h5py, numpy as np\n"
        "except ImportError:\n"
        "    sys.exit(77)\n"
        "f = h5py.File(sys.argv[1], 'r')\n"
        "assert f.attrs['schema'] == 1 and f.attrs['coppice'] == 'Coppice run file'\n"
        "assert f.attrs['arrays'] == 5 and len(f.attrs['digest']) == 64\n"
        "assert sorted(f) == ['base', 'job', 'population', 'stage1']\n"
        "s = f['population/scores']\n"
        "assert s.shape == (2000, 16) and s.dtype == '<f4' and s.fletcher32\n"
        "assert s.attrs['unit'] == 'points' and s.attrs['meaning'] == 'scores'\n"
        "assert np.all(s[:] == np.floor(s[:])) and s[:].max() > 1\n"
        "assert f['job/generation'][()] == 4 and 'unit' not in f['job/generation'].attrs\n"
        "assert f['base/score'][()] == 0.1\n"
        "assert f['job/text'].asstr()[()] == 'task: arith\\n'\n"
        "assert list(f['stage1/0/operators'].asstr()[:]) == ['', 'caf\\u00e9', "
        "'a longer text, to be kept as it is']\n";
    if (access("/usr/bin/python3", X_OK) != 0) {
        print_message("skip: no /usr/bin/python3\n");
        skip();
    }
    const char *const path = in_folder("python.h5");
    write_generation(path, 4, 2000);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/usr/bin/python3", "/usr/bin/python3", "-c", script, path, (char *)NULL);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skip: /usr/bin/python3 has no h5py\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* 5,000 candidates on 500 examples. */
static void test_speed(void **state)
{
    (void)state;
    enum { N = 5000, M = 500 };
    cop_store *store = NULL;
    cop_store *back = NULL;
    float *const scores = calloc((size_t)N * M, sizeof *scores);
    assert_non_null(scores);
    for (size_t i = 0; i < (size_t)N * M; i++)
        scores[i] = (float)(i % 97);
    const cop_store_array array = {
        .type = COP_STORE_F32, .rank = 2, .shape = {N, M}, .data = scores};
    assert_int_equal(cop_store_create(&store, NULL), COP_OK);
    assert_int_equal(cop_store_set(store, "/population/scores", &array, "1", "s", NULL),
                     COP_OK);
    const double start = cop_timer_now_s();
    assert_int_equal(cop_store_write(store, in_folder("speed.h5"), NULL), COP_OK);
    const double first = cop_timer_now_s();
    assert_int_equal(cop_store_write(store, in_folder("speed.h5"), NULL), COP_OK);
    const double second = cop_timer_now_s();
    assert_int_equal(cop_store_read(in_folder("speed.h5"), &back, NULL), COP_OK);
    print_message("10 MB: first write %.3f s, next write %.3f s, read %.3f s\n", first - start,
                  second - first, cop_timer_now_s() - second);
    assert_true(second - first < 20); /* far from usual, not a benchmark */
    free(scores);
    cop_store_destroy(&back);
    cop_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_empty_tree),
        cmocka_unit_test(test_extremes),    cmocka_unit_test(test_bytes_repeat),
        cmocka_unit_test(test_generations), cmocka_unit_test(test_relative_path),
        cmocka_unit_test(test_h5py),        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests_name("store_file", tests, make_folder, remove_folder);
}
