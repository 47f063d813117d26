/* Which tensors are one under two names, and which a model does not use. */
#include "unit/model/model_tiny.h"

#include "coppice/base/memory.h"

/* A tied model with a copy of the table as its head (of type bf16), and a tensor that nothing
 * uses. */
static cop_checkpoint *open_with_head(tiny_model *tiny, cop_dtype head, bool other)
{
    cop_error err = {0};
    cop_checkpoint *checkpoint = NULL;
    tiny_create(tiny, COP_BF16, COP_BF16, true);
    const cop_model_config *const c = &tiny->config;
    tiny_add(tiny, "lm_head.weight", head, c->vocabulary, c->width);
    tiny_add(tiny, "model.layers.0.self_attn.rotary_emb.inv_freq", COP_F32, 4, 0);
    uint16_t *const data = tiny_data(tiny, "lm_head.weight");
    if (head == COP_BF16)
        memcpy(data, tiny_data(tiny, "model.embed_tokens.weight"),
               tiny_find(tiny, "lm_head.weight")->bytes);
    if (other) data[5] ^= 1U;
    assert_ok(cop_checkpoint_from_memory(tiny->infos, tiny->count, &checkpoint, &err), &err);
    return checkpoint;
}

static void expect_use(const cop_checkpoint *checkpoint, const char *name, cop_tensor_use use)
{
    assert_int_equal(cop_checkpoint_find(checkpoint, name)->use, use);
}

static void test_equal_head(void **state)
{
    (void)state;
    tiny_model tiny;
    cop_error err = {0};
    cop_checkpoint *checkpoint = open_with_head(&tiny, COP_BF16, false);
    assert_ok(cop_model_settle(&tiny.config, checkpoint, &err), &err);
    assert_true(tiny.config.tied_head && !tiny.config.untied_by_file);
    expect_use(checkpoint, "lm_head.weight", COP_TENSOR_ALIAS);
    expect_use(checkpoint, "model.embed_tokens.weight", COP_TENSOR_USED);
    expect_use(checkpoint, "model.layers.0.self_attn.rotary_emb.inv_freq", COP_TENSOR_UNUSED);
    const cop_tensor_info *const head = cop_checkpoint_find(checkpoint, "lm_head.weight");
    const cop_tensor_info *const table =
        cop_checkpoint_find(checkpoint, "model.embed_tokens.weight");
    assert_ptr_equal(head->original, table);
    assert_int_equal(head->noise_id, table->noise_id);
    cop_text notes = {0};
    assert_ok(cop_model_config_notes(&tiny.config, &notes, &err), &err);
    assert_int_equal(notes.length, 0);
    cop_checkpoint_close(&checkpoint);
    tiny_destroy(&tiny);
}

/* Other bits, or numbers in another type: the head is the file's. */
static void test_other_head(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        tiny_model tiny;
        cop_error err = {0};
        cop_text notes = {0};
        cop_checkpoint *checkpoint = open_with_head(&tiny, i == 0 ? COP_BF16 : COP_F32, i == 0);
        assert_ok(cop_model_settle(&tiny.config, checkpoint, &err), &err);
        assert_true(!tiny.config.tied_head && tiny.config.untied_by_file);
        expect_use(checkpoint, "lm_head.weight", COP_TENSOR_USED);
        assert_ok(cop_model_config_notes(&tiny.config, &notes, &err), &err);
        assert_non_null(strstr(notes.data, "lm_head.weight"));
        cop_text_free(&notes);
        cop_checkpoint_close(&checkpoint);
        tiny_destroy(&tiny);
    }
}

/* A model that is not tied has two parameters, equal or not. */
static void test_untied_equal(void **state)
{
    (void)state;
    tiny_model tiny;
    cop_error err = {0};
    cop_checkpoint *checkpoint = open_with_head(&tiny, COP_BF16, false);
    tiny.config.tied_head = false;
    assert_ok(cop_model_settle(&tiny.config, checkpoint, &err), &err);
    assert_false(tiny.config.untied_by_file);
    expect_use(checkpoint, "lm_head.weight", COP_TENSOR_USED);
    cop_checkpoint_close(&checkpoint);
    tiny_destroy(&tiny);
}

/* What a tied model answers, after its tensors got other names: 1: the table is the head's, 2:
 * without "model.". */
static void answer(int how, cop_generation *got)
{
    static const cop_model_limits limits = {.batch = 1, .prompt_tokens = 4, .new_tokens = 4};
    static const int32_t ids[] = {1, 2, 3};
    const cop_prompt prompt = {.ids = ids, .count = 3};
    const cop_generate_options options = {.max_new_tokens = 4};
    tiny_model tiny;
    cop_error err = {0};
    tiny_create(&tiny, COP_F32, COP_F32, true);
    test_model test = {.config = tiny.config};
    if (how == 1) (void)strcpy(tiny.names[0], "lm_head.weight");
    for (size_t t = 0; t < tiny.count && how == 2; t++)
        memmove(tiny.names[t], tiny.names[t] + 6, strlen(tiny.names[t] + 6) + 1);
    assert_ok(cop_checkpoint_from_memory(tiny.infos, tiny.count, &test.checkpoint, &err), &err);
    assert_ok(cop_model_settle(&test.config, test.checkpoint, &err), &err);
    assert_true(test.config.head_only == (how == 1) && test.config.bare_names == (how == 2));
    assert_ok(test_backends[0].create(&test.backend, &err), &err);
    assert_ok(cop_model_create(&test.config, test.checkpoint, test.backend, &limits, NULL,
                               &test.model, &err),
              &err);
    assert_ok(cop_model_generate(test.model, &prompt, 1, &options, got, &err), &err);
    assert_int_equal(got->ids.count, 4);
    test_model_close(&test);
    tiny_destroy(&tiny);
}

static void test_other_names(void **state)
{
    (void)state;
    cop_generation wanted = {0};
    answer(0, &wanted);
    for (int how = 1; how <= 2; how++) {
        cop_generation got = {0};
        answer(how, &got);
        assert_memory_equal(got.ids.data, wanted.ids.data, 4 * sizeof(int32_t));
        cop_generation_free(&got);
    }
    cop_generation_free(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_head), cmocka_unit_test(test_other_head),
        cmocka_unit_test(test_untied_equal), cmocka_unit_test(test_other_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
