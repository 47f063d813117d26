/* Exports: the weights to the bit, the files beside them, nothing left behind by a failure. */
#include "unit/formats_support.h"

#include "coppice/export/export.h"
#include "coppice/noise/noise.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

enum { COUNT = 3000 };

static const char single_name[] = "model.safetensors";
static const cop_component components[] = {{.seed = 11, .amplitude = 0.01F},
                                           {.seed = 12, .amplitude = -0.003F},
                                           {.seed = 13, .amplitude = 0.0005F}};

/* A base directory below `root`: two files' worth of tensors of every kind. */
typedef struct base {
    char *dir;
    uint16_t wide[COUNT];
    uint16_t half[COUNT];
    float full[COUNT];
    int64_t ids[4];
} base;

static base *make_base(const char *root, bool sharded, size_t skew)
{
    base *const made = calloc(1, sizeof *made);
    fill_weights(made->wide, COUNT, 1);
    fill_weights(made->half, COUNT, 2);
    for (size_t i = 0; i < COUNT; i++) {
        made->half[i] &= 0xbbffU; /* as binary16: below one */
        made->full[i] = cop_bf16_to_f32(made->wide[i]);
    }
    made->dir = path_in(root, "base");
    assert_int_equal(mkdir(made->dir, 0777), 0);
    const spec specs[] = {{"w.full", "F32", "[30,100]", made->full, sizeof made->full},
                          {"ids", "I64", "[4]", made->ids, sizeof made->ids},
                          {"w.half", "F16", "[3000]", made->half, sizeof made->half},
                          {"w.wide", "BF16", "[100,30]", made->wide, sizeof made->wide},
                          {"w.empty", "BF16", "[0,30]", "", 0},
                          {"v.wide", "BF16", "[3000]", made->wide, sizeof made->wide}};
    if (sharded) {
        write_safetensors(made->dir, "model-1.safetensors", specs, 3, skew);
        write_safetensors(made->dir, "model-2.safetensors", specs + 3, 3, skew);
        write_text(made->dir, "model.safetensors.index.json",
                   "{\"weight_map\":{\"w.full\":\"model-1.safetensors\","
                   "\"ids\":\"model-1.safetensors\",\"w.half\":\"model-1.safetensors\","
                   "\"w.wide\":\"model-2.safetensors\",\"w.empty\":\"model-2.safetensors\","
                   "\"v.wide\":\"model-2.safetensors\"}}");
    } else {
        write_safetensors(made->dir, single_name, specs, 6, skew);
    }
    write_text(made->dir, "config.json", "{\"x\":1}\n");
    return made;
}

static void free_base(base *made)
{
    cop_memory_free(made->dir);
    free(made);
}

static cop_recipe *make_recipe(const char *scope)
{
    cop_recipe *recipe = NULL;
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    assert_int_equal(cop_recipe_set_components(recipe, components, 3, NULL), COP_OK);
    assert_int_equal(cop_recipe_set_scope(recipe, &scope, 1, NULL), COP_OK);
    return recipe;
}

static cop_checkpoint *open_ok(const char *directory)
{
    cop_checkpoint *checkpoint = NULL;
    cop_error err = {0};
    if (cop_checkpoint_open(directory, &checkpoint, &err) != COP_OK)
        fail_msg("%s", err.message);
    return checkpoint;
}

static cop_export_report export_ok(const char *base_dir, const cop_recipe *recipe,
                                   const char *out_dir, int threads)
{
    cop_export_report report;
    cop_error err = {0};
    cop_checkpoint *from = open_ok(base_dir);
    if (cop_export_write(from, recipe, out_dir, threads, &report, &err) != COP_OK) {
        fail_msg("%s", err.message);
    }
    cop_checkpoint_close(&from);
    return report;
}

/* Every tensor of `out` is that of `from`, rebuilt in one go if its name fits the scope. */
static cop_export_report check_tensors(const char *from_dir, const char *out_dir,
                                       const cop_recipe *recipe)
{
    cop_checkpoint *from = open_ok(from_dir);
    cop_checkpoint *out = open_ok(out_dir);
    cop_export_report report = {0};
    assert_int_equal(cop_checkpoint_count(from), cop_checkpoint_count(out));
    for (size_t i = 0; i < cop_checkpoint_count(from); i++) {
        const cop_tensor_info *const a = cop_checkpoint_at(from, i);
        const cop_tensor_info *const b = cop_checkpoint_at(out, i);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->bytes, b->bytes);
        assert_int_equal(a->offset, b->offset);
        char *const wanted = malloc(a->bytes + 1);
        memcpy(wanted, a->data, a->bytes);
        const float scale = cop_recipe_scale(recipe, from, a);
        if (scale != 0.0F) {
            const cop_rebuild_piece piece = {.base = a->data,
                                             .out = wanted,
                                             .dtype = a->dtype,
                                             .count = a->count,
                                             .tensor = a->noise_id,
                                             .scale = scale};
            cop_rebuild_run(&piece, recipe->components, recipe->component_count, 1,
                            COP_ISA_SCALAR);
            report.tensors++;
            report.elements += a->count;
            const size_t size = cop_dtype_size(a->dtype);
            for (size_t k = 0; k < a->bytes; k += size) {
                if (memcmp(wanted + k, (const char *)a->data + k, size) != 0)
                    report.elements_moved++;
            }
        }
        assert_memory_equal(wanted, b->data, a->bytes);
        free(wanted);
    }
    cop_checkpoint_close(&from);
    cop_checkpoint_close(&out);
    return report;
}

static void assert_reports_equal(cop_export_report a, cop_export_report b)
{
    assert_int_equal(a.tensors, b.tensors);
    assert_int_equal(a.elements, b.elements);
    assert_int_equal(a.elements_moved, b.elements_moved);
}

static void assert_file(const char *directory, const char *name, const char *text)
{
    cop_text got = read_file(directory, name);
    assert_string_equal(got.data, text);
    cop_text_free(&got);
}

static void test_weights(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        char *const root = scratch_make();
        base *const from = make_base(root, kind % 2 == 1, kind < 2 ? 0 : 3);
        cop_recipe *recipe = make_recipe("w.*");
        char *const out = path_in(root, "out");
        const cop_export_report report = export_ok(from->dir, recipe, out, 1 + kind);
        assert_int_equal(report.tensors, 4);
        assert_int_equal(report.elements, 3 * COUNT);
        assert_true(report.elements_moved > COUNT && report.elements_moved <= report.elements);
        assert_reports_equal(report, check_tensors(from->dir, out, recipe));
        assert_file(out, "config.json", "{\"x\":1}\n");
        assert_int_equal(count_entries(out), kind % 2 == 1 ? 6 : 4);
        assert_int_equal(count_entries(root), 2); /* no temporary left */

        cop_checkpoint *checkpoint = open_ok(from->dir);
        cop_export_report measured;
        cop_export_measure(checkpoint, recipe, 0, 2, &measured, NULL);
        assert_reports_equal(report, measured);
        cop_checkpoint_close(&checkpoint);
        cop_recipe_destroy(&recipe);
        cop_memory_free(out);
        free_base(from);
        scratch_remove(root);
    }
}

/* Weight files of an export of nothing are the base's, byte for byte; so is the recipe. */
/* Noise in units of each tensor's own size. */
static void test_rms_scaling(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, true, 3);
    cop_recipe *recipe = make_recipe("w.*");
    char *const out = path_in(root, "out");
    recipe->scaling = COP_SCALING_RMS;
    const cop_export_report report = export_ok(from->dir, recipe, out, 2);
    assert_int_equal(report.tensors, 3); /* an empty one has no size */
    assert_true(report.elements_moved > COUNT);
    assert_reports_equal(report, check_tensors(from->dir, out, recipe));
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free_base(from);
    scratch_remove(root);
}

static void test_nothing_added(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, true, 5);
    cop_recipe *recipe = NULL;
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    cop_checkpoint *checkpoint = open_ok(from->dir);
    assert_int_equal(cop_checkpoint_digest(checkpoint, recipe->base_sha256, NULL), COP_OK);
    cop_checkpoint_close(&checkpoint);
    char *const out = path_in(root, "out");
    const cop_export_report report = export_ok(from->dir, recipe, out, 1);
    assert_int_equal(report.elements, 4 * COUNT);
    assert_int_equal(report.elements_moved, 0);
    static const char *const names[] = {"model-1.safetensors", "model-2.safetensors",
                                        "model.safetensors.index.json"};
    for (size_t i = 0; i < 3; i++) {
        cop_text a = read_file(from->dir, names[i]);
        cop_text b = read_file(out, names[i]);
        assert_int_equal(a.length, b.length);
        assert_memory_equal(a.data, b.data, a.length);
        cop_text_free(&a);
        cop_text_free(&b);
    }
    cop_text printed = {0};
    assert_int_equal(cop_recipe_print(recipe, &printed, NULL), COP_OK);
    assert_file(out, "coppice_recipe.json", printed.data);
    cop_text_free(&printed);
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free_base(from);
    scratch_remove(root);
}

/* A tensor of more than one piece, cut where the pieces' size does not divide. */
static void test_large_tensor(void **state)
{
    (void)state;
    const size_t count = ((size_t)4 << 20) + 5;
    char *const root = scratch_make();
    uint16_t *const weights = malloc(count * sizeof *weights);
    fill_weights(weights, count, 9);
    const spec one = {"w", "BF16", "[4194309]", weights, count * sizeof *weights};
    write_safetensors(root, single_name, &one, 1, 0);
    cop_recipe *recipe = make_recipe("*");
    char *const out = path_in(root, "out");
    const cop_export_report report = export_ok(root, recipe, out, 2);
    assert_int_equal(report.elements, count);
    assert_reports_equal(report, check_tensors(root, out, recipe));
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free(weights);
    scratch_remove(root);
}

static void test_side_files(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    static const char readme[] = "---\nlicense: mit\n---\n# Base";
    static const char *const copied[] = {"tokenizer.json", "merges.txt", ".gitattributes",
                                         "training_args.bin"};
    static const char *const left_out[] = {"consolidated.safetensors", "model.gguf",
                                           "model.safetensors.index.json", "pytorch_model.bin",
                                           "pytorch_model.bin.index.json"};
    write_text(from->dir, "README.md", readme);
    write_text(from->dir, "coppice_recipe.json", "old");
    for (size_t i = 0; i < 4; i++)
        write_text(from->dir, copied[i], copied[i]);
    for (size_t i = 0; i < 5; i++)
        write_text(from->dir, left_out[i], "{}");
    static const char *const not_files[] = {"folder", "pipe", "lost", "link.txt"};
    char *paths[4];
    for (size_t i = 0; i < 4; i++)
        paths[i] = path_in(from->dir, not_files[i]);
    assert_int_equal(mkdir(paths[0], 0777), 0);
    assert_int_equal(mkfifo(paths[1], 0666), 0);
    assert_int_equal(symlink("nowhere", paths[2]), 0);
    assert_int_equal(symlink("merges.txt", paths[3]), 0);

    cop_recipe *recipe = make_recipe("*");
    char *const out = path_in(root, "out");
    (void)export_ok(from->dir, recipe, out, 1);
    for (size_t i = 0; i < 4; i++)
        assert_file(out, copied[i], copied[i]);
    assert_file(out, "link.txt", "merges.txt");
    for (size_t i = 0; i < 5; i++)
        assert_false(exists_in(out, left_out[i]));
    for (size_t i = 0; i < 3; i++)
        assert_false(exists_in(out, not_files[i]));
    cop_text text = read_file(out, "README.md");
    assert_memory_equal(text.data, readme, sizeof readme - 1);
    assert_non_null(strstr(text.data, "# Base\n\nThe weights were written by Coppice"));
    assert_non_null(strstr(text.data, "3 seeded Gaussian perturbations"));
    assert_non_null(strstr(text.data, "consolidated.safetensors, model.gguf"));
    cop_text_free(&text);
    text = read_file(out, "coppice_recipe.json");
    assert_non_null(strstr(text.data, "\"seed\": \"12\""));
    cop_text_free(&text);

    char *const again = path_in(root, "again");
    assert_int_equal(unlink(paths[1]), 0);
    char *const old = path_in(from->dir, "README.md");
    assert_int_equal(unlink(old), 0);
    (void)export_ok(from->dir, recipe, again, 1);
    text = read_file(again, "README.md");
    assert_memory_equal(text.data, "# again\n\nThe weights", 20);
    cop_text_free(&text);

    cop_recipe_destroy(&recipe);
    cop_memory_free(old);
    cop_memory_free(again);
    cop_memory_free(out);
    for (size_t i = 0; i < 4; i++)
        cop_memory_free(paths[i]);
    free_base(from);
    scratch_remove(root);
}

static void expect_failure(const char *base_dir, const cop_recipe *recipe, const char *out_dir,
                           cop_status status, const char *word)
{
    cop_export_report report = {9, 9, 9};
    cop_error err = {0};
    cop_checkpoint *from = open_ok(base_dir);
    const cop_status got = cop_export_write(from, recipe, out_dir, 1, &report, &err);
    cop_checkpoint_close(&from);
    if (got != status || strstr(err.message, word) == NULL) {
        fail_msg("got %s: %s; wanted %s: %s", cop_status_name(got), err.message,
                 cop_status_name(status), word);
    }
    assert_int_equal(report.tensors, 0);
}

static void test_base_digest(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    cop_recipe *recipe = make_recipe("*");
    char *const out = path_in(root, "out");
    memset(recipe->base_sha256, 'a', 64);
    expect_failure(from->dir, recipe, out, COP_ERR_MISMATCH, from->dir);
    assert_int_equal(count_entries(root), 1);
    cop_checkpoint *checkpoint = open_ok(from->dir);
    assert_int_equal(cop_checkpoint_digest(checkpoint, recipe->base_sha256, NULL), COP_OK);
    cop_checkpoint_close(&checkpoint);
    (void)export_ok(from->dir, recipe, out, 1);
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free_base(from);
    scratch_remove(root);
}

static void test_targets(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    cop_recipe *recipe = make_recipe("*");
    write_text(root, "file", "kept");
    char *const file = path_in(root, "file");
    char *const below = path_in(root, "file/out");
    char *const orphan = path_in(root, "missing/out");
    char *const out = path_in(root, "out");
    char *const slashes = path_in(root, "out///");
    expect_failure(from->dir, recipe, from->dir, COP_ERR_IO, "not an empty directory");
    expect_failure(from->dir, recipe, file, COP_ERR_IO, "not an empty directory");
    expect_failure(from->dir, recipe, below, COP_ERR_IO, below);
    expect_failure(from->dir, recipe, orphan, COP_ERR_IO, orphan);
    expect_failure(from->dir, recipe, "", COP_ERR_IO, "no name");
    assert_file(root, "file", "kept");
    assert_int_equal(count_entries(root), 2);
    /* An empty directory may be there, and the name may end in slashes. */
    assert_int_equal(mkdir(out, 0777), 0);
    (void)export_ok(from->dir, recipe, slashes, 1);
    assert_true(exists_in(out, single_name));
    assert_int_equal(count_entries(root), 3);
    expect_failure(from->dir, recipe, out, COP_ERR_IO, "not an empty directory");
    cop_recipe_destroy(&recipe);
    cop_memory_free(slashes);
    cop_memory_free(out);
    cop_memory_free(orphan);
    cop_memory_free(below);
    cop_memory_free(file);
    free_base(from);
    scratch_remove(root);
}

/* A relative name without a slash, and no wish for a report. */
static void test_relative(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    cop_recipe *recipe = make_recipe("*");
    char *const here = getcwd(NULL, 0);
    assert_non_null(here);
    assert_int_equal(chdir(root), 0);
    cop_checkpoint *opened = open_ok("base");
    const cop_status status = cop_export_write(opened, recipe, "out", 1, NULL, NULL);
    cop_checkpoint_close(&opened);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(status, COP_OK);
    assert_int_equal(count_entries(root), 2);
    assert_true(exists_in(root, "out"));
    free(here);
    cop_recipe_destroy(&recipe);
    free_base(from);
    scratch_remove(root);
}

/* A limit on the size of files stands for a full disk: writing fails in the middle of a file.
 */
static void test_disk_full(void **state)
{
    (void)state;
    static const rlim_t limits[] = {0, 100, 20000};
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    cop_recipe *recipe = make_recipe("*");
    char *const out = path_in(root, "out");
    cop_checkpoint *opened = open_ok(from->dir);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < 3; i++) {
        const struct rlimit small = {limits[i], before.rlim_max};
        cop_error err = {0};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const cop_status status = cop_export_write(opened, recipe, out, 1, NULL, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, COP_ERR_IO);
        assert_non_null(strstr(err.message, out));
        assert_non_null(strstr(err.message, single_name));
        assert_int_equal(count_entries(root), 1); /* the base alone */
    }
    (void)signal(SIGXFSZ, SIG_DFL);
    cop_checkpoint_close(&opened);
    (void)export_ok(from->dir, recipe, out, 1);
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free_base(from);
    scratch_remove(root);
}

/* A side file that cannot be copied undoes the whole, though the weights are written by then.
 */
static void test_late_failure(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    cop_recipe *recipe = make_recipe("*");
    char *const out = path_in(root, "out");
    recipe->metrics_json = cop_memory_copy_string("not json", 8, NULL);
    expect_failure(from->dir, recipe, out, COP_ERR_INTERNAL, "metrics");
    assert_int_equal(count_entries(root), 1);
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free_base(from);
    scratch_remove(root);
}

/* A file of the base that cannot be examined must not be missing in an export that succeeds. */
static void test_unexaminable_file(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    char *const link = path_in(from->dir, "tokenizer.json");
    char name[400];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(symlink(name, link), 0); /* longer than any file's */
    cop_recipe *recipe = make_recipe("*");
    char *const out = path_in(root, "out");
    expect_failure(from->dir, recipe, out, COP_ERR_IO, "tokenizer.json: cannot examine it");
    assert_false(exists_in(root, "out"));
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    cop_memory_free(link);
    free_base(from);
    scratch_remove(root);
}

/* A head that is the embedding under another name gets its noise; what no model uses gets none.
 */
static void test_alias_and_unused(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    cop_recipe *recipe = make_recipe("w*");
    char *const out = path_in(root, "out");
    cop_checkpoint *checkpoint = open_ok(from->dir);
    size_t wide = 0;
    size_t other = 0;
    size_t unused = 0;
    for (size_t i = 0; i < cop_checkpoint_count(checkpoint); i++) {
        const char *const name = cop_checkpoint_at(checkpoint, i)->name;
        if (strcmp(name, "w.wide") == 0) wide = i;
        if (strcmp(name, "v.wide") == 0) other = i;
        if (strcmp(name, "w.full") == 0) unused = i;
    }
    char before[COP_DIGEST_HEX_BYTES];
    char after[COP_DIGEST_HEX_BYTES];
    assert_int_equal(cop_checkpoint_digest(checkpoint, before, NULL), COP_OK);
    cop_checkpoint_set_alias(checkpoint, other, wide); /* not in the scope by its own name */
    cop_checkpoint_set_unused(checkpoint, unused);
    assert_int_equal(cop_checkpoint_digest(checkpoint, after, NULL), COP_OK);
    assert_string_not_equal(before, after);
    assert_int_equal(cop_checkpoint_check(checkpoint, after, "it", NULL), COP_OK);
    assert_int_equal(cop_checkpoint_check(checkpoint, before, "it", NULL), COP_OK);
    before[0] = before[0] == 'a' ? 'b' : 'a';
    assert_int_equal(cop_checkpoint_check(checkpoint, before, "it", NULL), COP_ERR_MISMATCH);

    cop_export_report report;
    assert_int_equal(cop_export_write(checkpoint, recipe, out, 1, &report, NULL), COP_OK);
    assert_int_equal(report.tensors, 3); /* w.wide, w.half, w.empty */
    cop_checkpoint *exported = open_ok(out);
    const cop_tensor_info *const a = cop_checkpoint_find(exported, "w.wide");
    const cop_tensor_info *const b = cop_checkpoint_find(exported, "v.wide");
    const cop_tensor_info *const full = cop_checkpoint_find(exported, "w.full");
    assert_memory_equal(a->data, b->data, a->bytes);
    assert_memory_not_equal(a->data, from->wide, sizeof from->wide);
    assert_memory_equal(full->data, from->full, sizeof from->full);
    cop_export_report measured;
    cop_export_measure(checkpoint, recipe, 0, 1, &measured, NULL);
    assert_reports_equal(measured, report);
    cop_checkpoint_close(&exported);
    cop_checkpoint_close(&checkpoint);
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free_base(from);
    scratch_remove(root);
}

/* The tie that the weights contradict is not handed on, also where the file does not say it. */
static void test_untied_head(void **state)
{
    (void)state;
    char *const root = scratch_make();
    base *const from = make_base(root, false, 0);
    cop_recipe *recipe = make_recipe("*");
    char *const out = path_in(root, "out");
    recipe->untied_head = true;
    write_text(from->dir, "config.json", "{\"tie_word_embeddings\": null}");
    expect_failure(from->dir, recipe, out, COP_ERR_FORMAT, "tie_word_embeddings");
    char *const tied_by_default = path_in(root, "default");
    write_text(from->dir, "config.json", "\n{ \"a\": 1}\n");
    (void)export_ok(from->dir, recipe, tied_by_default, 1);
    assert_file(tied_by_default, "config.json",
                "\n{\"tie_word_embeddings\": false, \"a\": 1}\n");
    cop_memory_free(tied_by_default);
    write_text(from->dir, "config.json", "{\"a\":1,\"tie_word_embeddings\" :\n true,\"b\":2}");
    (void)export_ok(from->dir, recipe, out, 1);
    assert_file(out, "config.json", "{\"a\":1,\"tie_word_embeddings\" :\n false,\"b\":2}");
    cop_recipe_destroy(&recipe);
    cop_memory_free(out);
    free_base(from);
    scratch_remove(root);
}

static void test_measure(void **state)
{
    (void)state;
    enum { MANY = 300000 };
    uint16_t *const weights = malloc(MANY * sizeof *weights);
    fill_weights(weights, MANY, 4);
    const cop_tensor_info infos[] = {
        {.name = "a", .dtype = COP_BF16, .rank = 1, .shape = {MANY}, .data = weights},
        {.name = "b", .dtype = COP_BF16, .rank = 1, .shape = {100}, .data = weights},
        {.name = "c", .dtype = COP_BF16, .rank = 1, .shape = {0}, .data = weights}};
    cop_checkpoint *checkpoint = NULL;
    assert_int_equal(cop_checkpoint_from_memory(infos, 3, &checkpoint, NULL), COP_OK);
    cop_recipe *recipe = make_recipe("*");
    cop_export_report all;
    cop_export_measure(checkpoint, recipe, 0, 1, &all, NULL);
    assert_int_equal(all.tensors, 3);
    assert_int_equal(all.elements, MANY + 100);
    const double share = (double)all.elements_moved / (double)all.elements;
    static const size_t samples[] = {1,     99,     100,      4096, 5000,
                                     20000, 100000, MANY - 1, MANY, SIZE_MAX};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        cop_export_report part;
        cop_export_measure(checkpoint, recipe, samples[i], 2, &part, NULL);
        const size_t a = samples[i] < MANY ? samples[i] : MANY;
        const size_t b = samples[i] < 100 ? samples[i] : 100;
        assert_true(part.elements <= a + b);
        assert_true(part.elements > (a + b) / 2);
        if (samples[i] >= MANY) assert_reports_equal(part, all);
        if (samples[i] < 4096) continue;
        const double got = (double)part.elements_moved / (double)part.elements;
        assert_true(fabs(got - share) < 5 * sqrt(share * (1 - share) / (double)part.elements));
    }
    cop_recipe_destroy(&recipe);
    recipe = make_recipe("none");
    cop_export_measure(checkpoint, recipe, 0, 1, &all, NULL);
    assert_int_equal(all.tensors + all.elements + all.elements_moved, 0);
    cop_recipe_destroy(&recipe);
    cop_checkpoint_close(&checkpoint);
    free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms_scaling),   cmocka_unit_test(test_weights),
        cmocka_unit_test(test_nothing_added), cmocka_unit_test(test_large_tensor),
        cmocka_unit_test(test_side_files),    cmocka_unit_test(test_base_digest),
        cmocka_unit_test(test_targets),       cmocka_unit_test(test_relative),
        cmocka_unit_test(test_disk_full),     cmocka_unit_test(test_late_failure),
        cmocka_unit_test(test_measure),       cmocka_unit_test(test_alias_and_unused),
        cmocka_unit_test(test_untied_head),   cmocka_unit_test(test_unexaminable_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
