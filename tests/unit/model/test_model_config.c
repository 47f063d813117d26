/* config.json and generation_config.json of every architecture, in every spelling, and hostile
 * ones. */
#include "unit/folder_support.h"
#include "unit/model/model_support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[FOLDER_BYTES];

/* A config of few keys; the tests add, change and (with null) blank some. */
static const char *const plain =
    "{\"hidden_size\": 64, \"intermediate_size\": 160, \"num_hidden_layers\": 8,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 320}";

static void write_file(const char *name, const char *text)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (text == NULL) {
        (void)unlink(path);
        return;
    }
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* Writes plain with `changes` over it, keys of `removed` (NULL or one key) taken out. */
static void write_config(const char *model_type, const char *changes, const char *removed)
{
    json_error_t why;
    json_t *const root = json_loads(plain, 0, &why);
    json_t *const patch = json_loads(changes, 0, &why);
    assert_non_null(root);
    if (patch == NULL) fail_msg("%s: %s", changes, why.text);
    assert_int_equal(json_object_set_new(root, "model_type", json_string(model_type)), 0);
    assert_int_equal(json_object_update(root, patch), 0);
    if (removed != NULL) assert_int_equal(json_object_del(root, removed), 0);
    char *const text = json_dumps(root, 0);
    assert_non_null(text);
    write_file("config.json", text);
    free(text);
    json_decref(patch);
    json_decref(root);
}

static cop_model_config load(const char *model_type, const char *changes)
{
    cop_model_config config;
    cop_error err = {0};
    write_config(model_type, changes, NULL);
    assert_ok(cop_model_config_load(folder, &config, &err), &err);
    assert_string_equal(config.model_type, model_type);
    return config;
}

static int32_t count_sliding(const cop_model_config *config)
{
    int32_t count = 0;
    for (int32_t i = 0; i < config->layers; i++)
        count += config->sliding[i];
    return count;
}

static void test_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *model_type;
        int32_t head_size, positions;
        bool qkv_bias;
        cop_qk_norm qk_norm;
        cop_norm_placement placement;
        int32_t sliding;
        double eps, theta, local_theta;
        bool tied_head;
    } rows[] = {
        {"qwen2", 16, 32768, true, COP_QK_NORM_NONE, COP_NORM_BEFORE, 0, 1e-6, 1e4, 1e4, false},
        {"qwen3", 128, 32768, false, COP_QK_NORM_HEAD, COP_NORM_BEFORE, 0, 1e-6, 1e4, 1e4,
         false},
        {"llama", 16, 2048, false, COP_QK_NORM_NONE, COP_NORM_BEFORE, 0, 1e-6, 1e4, 1e4, false},
        {"mistral", 16, 131072, false, COP_QK_NORM_NONE, COP_NORM_BEFORE, 8, 1e-6, 1e4, 1e4,
         false},
        {"olmo2", 16, 2048, false, COP_QK_NORM_WIDTH, COP_NORM_AFTER, 0, 1e-5, 1e4, 1e4, false},
        {"olmo3", 16, 2048, false, COP_QK_NORM_WIDTH, COP_NORM_AFTER, 6, 1e-5, 5e5, 5e5, false},
        {"gemma3_text", 256, 131072, false, COP_QK_NORM_HEAD, COP_NORM_AROUND, 7, 1e-6, 1e6,
         1e4, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const cop_model_config c = load(rows[i].model_type, "{}");
        assert_int_equal(c.layers, 8);
        assert_int_equal(c.width, 64);
        assert_int_equal(c.heads, 4);
        assert_int_equal(c.kv_heads, 2);
        assert_int_equal(c.feed_forward, 160);
        assert_int_equal(c.vocabulary, 320);
        assert_int_equal(c.head_size, rows[i].head_size);
        assert_int_equal(c.max_positions, rows[i].positions);
        assert_int_equal(c.stop_count, 0); /* as transformers 5: no family stops by itself */
        assert_int_equal(c.qkv_bias, rows[i].qkv_bias);
        assert_false(c.o_bias || c.mlp_bias);
        assert_int_equal(c.tied_head, rows[i].tied_head);
        assert_int_equal(c.qk_norm, rows[i].qk_norm);
        assert_int_equal(c.norm_placement, rows[i].placement);
        assert_int_equal(count_sliding(&c), rows[i].sliding);
        if (rows[i].sliding > 0) assert_int_equal(c.window, 4096);
        assert_float_equal(c.norm_eps, rows[i].eps, 1e-12);
        for (size_t r = 0; r < 2; r++) {
            assert_int_equal(c.rope[r].kind, COP_ROPE_DEFAULT);
            assert_true(c.rope[r].theta == (r == 0 ? rows[i].theta : rows[i].local_theta));
        }
        const bool gemma = c.norm_placement == COP_NORM_AROUND;
        assert_true(c.norm_offset == (gemma ? 1.0F : 0.0F));
        assert_true(c.embedding_scale == (gemma ? 8.0F : 0.0F)); /* root of 64 */
        assert_true(c.query_scalar == (gemma ? 256.0F : 0.0F));
        assert_int_equal(c.activation, gemma ? COP_GELU_TANH : COP_SILU);
    }
}

static void test_heads(void **state)
{
    (void)state;
    cop_model_config c = load("llama", "{\"num_key_value_heads\": null, \"head_dim\": null}");
    assert_int_equal(c.kv_heads, 4);
    assert_int_equal(c.head_size, 16);
    c = load("qwen3", "{\"head_dim\": null}");
    assert_int_equal(c.head_size, 16);
    c = load("mistral", "{\"head_dim\": 6, \"num_key_value_heads\": 1, \"hidden_size\": 50}");
    assert_int_equal(c.head_size, 6);
    assert_int_equal(c.width, 50);

    cop_error err = {0};
    write_config("llama", "{}", "num_key_value_heads");
    assert_ok(cop_model_config_load(folder, &c, &err), &err);
    assert_int_equal(c.kv_heads, 4);
    write_config("mistral", "{\"num_attention_heads\": 16}", "num_key_value_heads");
    assert_ok(cop_model_config_load(folder, &c, &err), &err);
    assert_int_equal(c.kv_heads, 8);
}

static void test_biases(void **state)
{
    (void)state;
    static const char *const all = "{\"attention_bias\": true, \"mlp_bias\": true,"
                                   " \"tie_word_embeddings\": true}";
    static const struct {
        const char *model_type;
        bool qkv, o, mlp;
    } rows[] = {{"qwen2", true, false, false},     {"qwen3", true, true, false},
                {"llama", true, true, true},       {"mistral", false, false, false},
                {"olmo2", true, true, false},      {"olmo3", true, true, false},
                {"gemma3_text", true, true, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const cop_model_config c = load(rows[i].model_type, all);
        assert_int_equal(c.qkv_bias, rows[i].qkv);
        assert_int_equal(c.o_bias, rows[i].o);
        assert_int_equal(c.mlp_bias, rows[i].mlp);
        assert_true(c.tied_head);
    }
}

static void test_windows(void **state)
{
    (void)state;
    cop_model_config c = load("qwen2", "{\"use_sliding_window\": true, \"sliding_window\": 7,"
                                       " \"max_window_layers\": 5}");
    assert_int_equal(count_sliding(&c), 3);
    assert_true(c.sliding[5] && !c.sliding[4]);
    assert_int_equal(c.window, 7);
    c = load("qwen2", "{\"use_sliding_window\": false, \"sliding_window\": 7,"
                      " \"max_window_layers\": 0}");
    assert_int_equal(count_sliding(&c), 0);
    c = load("qwen3", "{\"use_sliding_window\": true, \"sliding_window\": null}");
    assert_int_equal(count_sliding(&c), 0);
    c = load("qwen3",
             "{\"use_sliding_window\": true, \"sliding_window\": 9, \"num_hidden_layers\":"
             " 2, \"layer_types\": [\"sliding_attention\", \"full_attention\"]}");
    assert_true(c.sliding[0] && !c.sliding[1]);
    c = load("mistral", "{\"sliding_window\": 100}");
    assert_int_equal(count_sliding(&c), 8);
    assert_int_equal(c.window, 100);
    c = load("mistral", "{\"sliding_window\": null}");
    assert_int_equal(count_sliding(&c), 0);
    c = load("olmo3", "{\"sliding_window\": 33}");
    for (int32_t i = 0; i < 8; i++)
        assert_int_equal(c.sliding[i], i % 4 != 3);
    assert_int_equal(c.window, 33);
    c = load("olmo3", "{\"sliding_window\": null, \"num_hidden_layers\": 1,"
                      " \"layer_types\": [\"full_attention\"]}");
    assert_int_equal(count_sliding(&c), 0);
    c = load("llama", "{\"sliding_window\": 100}");
    assert_int_equal(count_sliding(&c), 0);
    c = load("gemma3_text", "{\"sliding_window\": 9, \"sliding_window_pattern\": 3,"
                            " \"_sliding_window_pattern\": 5}");
    for (int32_t i = 0; i < 8; i++)
        assert_int_equal(c.sliding[i], i % 3 != 2);
    assert_int_equal(c.window, 9);
    c = load("gemma3_text", "{\"sliding_window_pattern\": 1, \"num_hidden_layers\": 2,"
                            " \"layer_types\": [\"full_attention\", \"sliding_attention\"]}");
    assert_true(!c.sliding[0] && c.sliding[1]);
}

static void check_llama3(const cop_rope *rope, double original)
{
    assert_int_equal(rope->kind, COP_ROPE_LLAMA3);
    assert_float_equal(rope->theta, 500000.0, 0.0);
    assert_float_equal(rope->factor, 8.0, 0.0);
    assert_float_equal(rope->low_frequency_factor, 1.0, 0.0);
    assert_float_equal(rope->high_frequency_factor, 4.0, 0.0);
    assert_float_equal(rope->original_positions, original, 0.0);
}

static void test_rope_spellings(void **state)
{
    (void)state;
    cop_model_config c =
        load("llama", "{\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\","
                      " \"factor\": 8, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0,"
                      " \"original_max_position_embeddings\": 8192}}");
    check_llama3(&c.rope[0], 8192.0);
    check_llama3(&c.rope[1], 8192.0);
    c = load("llama",
             "{\"rope_parameters\": {\"rope_theta\": 500000, \"rope_type\": \"llama3\","
             " \"factor\": 8.0, \"low_freq_factor\": 1, \"high_freq_factor\": 4},"
             " \"max_position_embeddings\": 777}");
    check_llama3(&c.rope[0], 777.0);
    c = load("llama", "{\"rope_scaling\": null, \"rope_theta\": 123.5}");
    assert_int_equal(c.rope[0].kind, COP_ROPE_DEFAULT);
    assert_float_equal(c.rope[0].theta, 123.5, 0.0);
    c = load("llama", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}}");
    assert_int_equal(c.rope[0].kind, COP_ROPE_LINEAR);
    assert_float_equal(c.rope[0].factor, 2.5, 0.0);
    c = load("qwen2", "{\"rope_theta\": 1000000.0, \"rope_scaling\": {\"type\": \"yarn\","
                      " \"factor\": 4.0, \"original_max_position_embeddings\": 32768}}");
    assert_int_equal(c.rope[0].kind, COP_ROPE_YARN);
    assert_float_equal(c.rope[0].theta, 1e6, 0.0);
    assert_float_equal(c.rope[0].original_positions, 32768.0, 0.0);
    assert_float_equal(c.rope[0].beta_fast, 32.0, 0.0);
    assert_float_equal(c.rope[0].beta_slow, 1.0, 0.0);
    assert_float_equal(c.rope[0].attention_factor, 0.0, 0.0);
    assert_true(c.rope[0].truncate);
    c = load("qwen2", "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 40.0,"
                      " \"mscale\": 0.707, \"mscale_all_dim\": 0.5}}");
    assert_float_equal(c.rope[0].attention_factor, 1.064468903941252, 1e-12);
    /* A number of positions outside of the object goes before its own. */
    c = load("qwen2", "{\"original_max_position_embeddings\": 32, \"rope_scaling\": {\"type\":"
                      " \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 64}}");
    assert_float_equal(c.rope[0].original_positions, 32.0, 0.0);
}

static void test_rope_olmo3(void **state)
{
    (void)state;
    cop_model_config c =
        load("olmo3", "{\"rope_theta\": 250000, \"rope_scaling\": {\"rope_type\": \"yarn\","
                      " \"factor\": 8.0, \"original_max_position_embeddings\": 8192,"
                      " \"attention_factor\": 1.25, \"beta_fast\": 30, \"beta_slow\": 2}}");
    assert_int_equal(c.rope[0].kind, COP_ROPE_YARN);
    assert_float_equal(c.rope[0].theta, 250000.0, 0.0);
    assert_float_equal(c.rope[0].attention_factor, 1.25, 0.0);
    assert_float_equal(c.rope[0].beta_fast, 30.0, 0.0);
    assert_float_equal(c.rope[0].beta_slow, 2.0, 0.0);
    assert_int_equal(c.rope[1].kind, COP_ROPE_DEFAULT);
    assert_float_equal(c.rope[1].theta, 250000.0, 0.0);
    c = load("olmo3",
             "{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"yarn\","
             " \"factor\": 2.0, \"rope_theta\": 10000.0, \"truncate\": false},"
             " \"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 77}},"
             " \"max_position_embeddings\": 4096}");
    assert_int_equal(c.rope[0].kind, COP_ROPE_YARN);
    assert_float_equal(c.rope[0].theta, 10000.0, 0.0);
    assert_float_equal(c.rope[0].original_positions, 4096.0, 0.0);
    assert_false(c.rope[0].truncate);
    assert_int_equal(c.rope[1].kind, COP_ROPE_DEFAULT);
    assert_float_equal(c.rope[1].theta, 77.0, 0.0);
}

static void check_gemma(const char *changes, cop_rope_kind kind, double factor, double theta,
                        double local_theta)
{
    const cop_model_config c = load("gemma3_text", changes);
    assert_int_equal(c.rope[0].kind, kind);
    assert_float_equal(c.rope[0].factor, factor, 0.0);
    assert_float_equal(c.rope[0].theta, theta, 0.0);
    assert_int_equal(c.rope[1].kind, COP_ROPE_DEFAULT);
    assert_float_equal(c.rope[1].factor, 1.0, 0.0);
    assert_float_equal(c.rope[1].theta, local_theta, 0.0);
    assert_false(c.differs_in_rope);
}

/* The bases of full and sliding layers, in the spellings of transformers 4 and 5. */
static void test_rope_gemma3(void **state)
{
    (void)state;
    check_gemma("{\"rope_theta\": 77, \"rope_local_base_freq\": 88}", COP_ROPE_DEFAULT, 1.0,
                77.0, 88.0);
    check_gemma("{\"rope_scaling\": {\"type\": \"default\"}}", COP_ROPE_DEFAULT, 1.0, 1e6, 1e4);
    check_gemma("{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}}",
                COP_ROPE_LINEAR, 8.0, 1e6, 1e4);
    check_gemma("{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2,"
                " \"rope_theta\": 33.0}, \"rope_theta\": 44.0}",
                COP_ROPE_LINEAR, 2.0, 33.0, 1e4);
    check_gemma("{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"linear\","
                " \"factor\": 3.0, \"rope_theta\": 9.0}, \"sliding_attention\":"
                " {\"rope_type\": \"default\", \"rope_theta\": 5}}}",
                COP_ROPE_LINEAR, 3.0, 9.0, 5.0);
    check_gemma("{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}},"
                " \"rope_theta\": 77.0, \"rope_local_base_freq\": 88.0}",
                COP_ROPE_DEFAULT, 1.0, 77.0, 88.0);
    check_gemma("{\"max_position_embeddings\": 4096, \"original_max_position_embeddings\": 32,"
                " \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0}}",
                COP_ROPE_YARN, 4.0, 1e6, 1e4);
    const cop_model_config c =
        load("gemma3_text",
             "{\"max_position_embeddings\": 4096, \"original_max_position_embeddings\": 32,"
             " \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0}}");
    assert_float_equal(c.rope[0].original_positions, 4096.0, 0.0);
}

/* What transformers passes over where kinds of layers have ropes of their own. */
static void test_rope_that_is_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *family, *changes, *says;
    } refused[] = {
        {"gemma3_text", "{\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4.0}}",
         "rope_parameters without full_attention"},
        {"gemma3_text",
         "{\"rope_parameters\": {\"full_attention\": {}, \"sliding_attention\": {}},"
         " \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}}",
         "rope_scaling beside rope_parameters"},
        {"gemma3_text",
         "{\"rope_scaling\": {\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 4}}}",
         "give them in rope_parameters"},
        {"olmo3",
         "{\"rope_scaling\": {\"sliding_attention\": {\"rope_type\": \"linear\", \"factor\": "
         "4}}}",
         "give them in rope_parameters"},
        {"gemma3_text", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}}",
         "give rope_type"},
        {"olmo3", "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0}}",
         "give rope_type"},
        {"mistral",
         "{\"rope_parameters\": {\"sliding_attention\": {\"rope_type\": \"linear\","
         " \"factor\": 4}}}",
         "not implemented for mistral, whose layers have one rope"},
        {"llama", "{\"rope_scaling\": {\"full_attention\": {\"rope_theta\": 33.0}}}",
         "rope_scaling.full_attention"}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        cop_model_config none;
        cop_error err = {0};
        write_config(refused[i].family, refused[i].changes, NULL);
        assert_int_equal(cop_model_config_load(folder, &none, &err), COP_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, refused[i].says));
    }
}

/* Keys of Gemma 3 that change the result, and what of them is not there. */
static void test_gemma3(void **state)
{
    (void)state;
    cop_model_config c =
        load("gemma3_text", "{\"query_pre_attn_scalar\": 168, \"hidden_size\": 640,"
                            " \"hidden_act\": \"silu\", \"attn_logit_softcapping\": null,"
                            " \"final_logit_softcapping\": null, \"attention_bias\": false,"
                            " \"use_bidirectional_attention\": false}");
    assert_float_equal(c.query_scalar, 168.0F, 0.0);
    assert_float_equal(c.embedding_scale, 25.2982213F, 0.0);
    assert_int_equal(c.activation, COP_GELU_TANH);
    c = load("gemma3_text",
             "{\"hidden_activation\": \"silu\", \"tie_word_embeddings\": false}");
    assert_int_equal(c.activation, COP_SILU);
    assert_false(c.tied_head);
    c = load("llama", "{\"hidden_act\": \"gelu_pytorch_tanh\"}");
    assert_int_equal(c.activation, COP_GELU_TANH);
    static const char *const refused[][2] = {
        {"{\"final_logit_softcapping\": 30.0}", "final_logit_softcapping"},
        {"{\"attn_logit_softcapping\": 50}", "attn_logit_softcapping"},
        {"{\"use_bidirectional_attention\": true}", "use_bidirectional_attention"},
        {"{\"hidden_activation\": \"gelu\"}", "hidden_activation \"gelu\""}};
    for (size_t i = 0; i < 4; i++) {
        cop_error err = {0};
        write_config("gemma3_text", refused[i][0], NULL);
        assert_int_equal(cop_model_config_load(folder, &c, &err), COP_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, refused[i][1]));
    }
    static const char *const bad[] = {
        "{\"query_pre_attn_scalar\": 0}", "{\"query_pre_attn_scalar\": \"x\"}",
        "{\"sliding_window_pattern\": 0}", "{\"rope_local_base_freq\": 1}",
        "{\"sliding_window\": null}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cop_error err = {0};
        write_config("gemma3_text", bad[i], NULL);
        assert_int_equal(cop_model_config_load(folder, &c, &err), COP_ERR_FORMAT);
    }
}

/* What counts as not given in transformers does here. */
static void test_rope_zeros(void **state)
{
    (void)state;
    const cop_model_config c =
        load("qwen2", "{\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0,"
                      " \"original_max_position_embeddings\": 32, \"mscale\": 1.0,"
                      " \"mscale_all_dim\": 0, \"beta_fast\": 0, \"beta_slow\": 0.0}}");
    assert_float_equal(c.rope[0].attention_factor, 0.0, 0.0);
    assert_float_equal(c.rope[0].beta_fast, 32.0, 0.0);
    assert_float_equal(c.rope[0].beta_slow, 1.0, 0.0);
    assert_false(c.differs_in_rope);
}

/* Where transformers reads the rope of OLMo 3 otherwise, which is said: a theta of its own or a
 * rope_parameters, in one for both kinds of layers. */
static void test_olmo3_notes(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{\"rope_theta\": 250000, \"rope_scaling\": {\"rope_type\": \"yarn\","
        " \"factor\": 8.0, \"original_max_position_embeddings\": 32}}",
        "{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000}}",
        "{\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 8.0,"
        " \"original_max_position_embeddings\": 32, \"rope_theta\": 10000}}",
        "{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}},"
        " \"rope_theta\": 10000}",
        "{\"rope_parameters\": {\"rope_theta\": 500000}, \"rope_theta\": 10000}",
        "{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"yarn\", \"factor\": 2.0,"
        " \"rope_theta\": 10000.0}, \"sliding_attention\": {\"rope_theta\": 77}}}",
        "{\"rope_theta\": 500000, \"rope_scaling\": {\"rope_type\": \"yarn\","
        " \"factor\": 8.0, \"original_max_position_embeddings\": 32}}",
        "{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000}}",
        "{\"rope_theta\": 500000}"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const cop_model_config c = load("olmo3", forms[i]);
        cop_text notes = {0};
        cop_error err = {0};
        assert_ok(cop_model_config_notes(&c, &notes, &err), &err);
        const bool said = notes.length > 0 && strstr(notes.data, "OLMo 3") != NULL;
        assert_int_equal(said, i < 5);
        cop_text_free(&notes);
    }
}

/* Rules are read, named as applied, and what is not applied is named too. */
static void test_rules(void **state)
{
    (void)state;
    cop_text notes = {0};
    cop_error err = {0};
    write_file(
        "generation_config.json",
        "{\"repetition_penalty\": 1.1, \"no_repeat_ngram_size\": 3, \"bad_words_ids\":"
        " [[1, 2], [3]], \"min_new_tokens\": 4, \"min_length\": 9, \"suppress_tokens\": [5, 6],"
        " \"begin_suppress_tokens\": [7], \"do_sample\": true, \"top_k\": 20,"
        " \"temperature\": 1.0, \"forced_eos_token_id\": 3}");
    const cop_model_config c = load("qwen2", "{}");
    assert_float_equal(c.rules.repetition_penalty, 1.1, 0.0);
    assert_int_equal(c.rules.no_repeat_ngram, 3);
    assert_int_equal(c.rules.bad_count, 2);
    assert_int_equal(c.rules.min_new_tokens, 4);
    assert_int_equal(c.rules.min_length, 0); /* the other one takes precedence */
    assert_int_equal(c.rules.bad_ends[0], 2);
    assert_int_equal(c.rules.bad_ends[1], 3);
    assert_int_equal(c.rules.suppress_count, 2);
    assert_int_equal(c.rules.begin_suppress[0], 7);
    assert_string_equal(c.rules.not_applied, "do_sample, top_k, forced_eos_token_id");
    assert_ok(cop_model_config_notes(&c, &notes, &err), &err);
    assert_non_null(strstr(notes.data, "repetition_penalty 1.1, no_repeat_ngram_size 3"));
    assert_non_null(strstr(notes.data, "not applied: do_sample, top_k, forced_eos_token_id"));
    cop_text_free(&notes);
    static const char *const bad[] = {
        "{\"repetition_penalty\": 0}",    "{\"repetition_penalty\": \"x\"}",
        "{\"no_repeat_ngram_size\": -1}", "{\"bad_words_ids\": [1]}",
        "{\"bad_words_ids\": [[]]}",      "{\"suppress_tokens\": [-1]}",
        "{\"min_new_tokens\": 1.5}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cop_model_config none;
        write_file("generation_config.json", bad[i]);
        assert_int_equal(cop_model_config_load(folder, &none, &err), COP_ERR_FORMAT);
        assert_non_null(strstr(err.message, "generation_config.json"));
    }
    write_file("generation_config.json", "{\"repetition_penalty\": 1.0, \"top_k\": 50}");
    const cop_model_config idle = load("qwen2", "{\"repetition_penalty\": 1.3}");
    assert_float_equal(idle.rules.repetition_penalty, 1.0, 0.0);
    assert_string_equal(idle.rules.not_applied, "");
    write_file("generation_config.json", NULL);
    /* Without that file config.json has the word. */
    const cop_model_config old =
        load("qwen2", "{\"repetition_penalty\": 1.3, \"min_length\": 2, \"do_sample\": true}");
    assert_float_equal(old.rules.repetition_penalty, 1.3, 0.0);
    assert_int_equal(old.rules.min_length, 2);
    assert_string_equal(old.rules.not_applied, "do_sample");
}

static void test_stops(void **state)
{
    (void)state;
    cop_model_config c = load("llama", "{\"eos_token_id\": 7}");
    assert_int_equal(c.stop_count, 1);
    assert_int_equal(c.stops[0], 7);
    c = load("llama", "{\"eos_token_id\": [7, 0, 9]}");
    assert_int_equal(c.stop_count, 3);
    assert_int_equal(c.stops[2], 9);
    write_file("generation_config.json", "{\"eos_token_id\": [2, 0]}");
    c = load("qwen2", "{\"eos_token_id\": 7}");
    assert_int_equal(c.stop_count, 2);
    assert_int_equal(c.stops[0], 2);
    write_file("generation_config.json", "{\"eos_token_id\": 5}");
    c = load("qwen2", "{}");
    assert_int_equal(c.stop_count, 1);
    assert_int_equal(c.stops[0], 5);
    write_file("generation_config.json", "{\"do_sample\": true, \"eos_token_id\": null}");
    c = load("qwen2", "{\"eos_token_id\": 8}");
    assert_int_equal(c.stop_count, 0);
    write_file("generation_config.json", "{}");
    c = load("llama", "{\"eos_token_id\": [8, 9]}");
    assert_int_equal(c.stop_count, 0);
    cop_error err = {0};
    write_file("generation_config.json", "[]");
    assert_int_equal(cop_model_config_load(folder, &c, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "generation_config.json"));
    assert_int_equal(c.layers, 0);
    write_file("generation_config.json", NULL);
}

static void refuse(const char *changes, const char *removed, cop_status status,
                   const char *part)
{
    cop_model_config config;
    cop_error err = {0};
    write_config("qwen3", changes, removed);
    const cop_status got = cop_model_config_load(folder, &config, &err);
    if (got != status) fail_msg("%s: %s", changes, cop_status_name(got));
    if (strstr(err.message, part) == NULL)
        fail_msg("%s: no '%s' in: %s", changes, part, err.message);
    assert_non_null(strstr(err.message, "config.json"));
    assert_int_equal(config.layers, 0);
}

static void test_unsupported(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"model_type\": \"gemma3\"}", "gemma3"},
        {"{\"model_type\": \"qwen3_moe\"}", "qwen2, qwen3"},
        {"{\"hidden_act\": \"gelu\"}", "gelu"},
        {"{\"attn_logit_softcapping\": 50.0}", "attn_logit_softcapping"},
        {"{\"final_logit_softcapping\": 30.0}", "final_logit_softcapping"},
        {"{\"quantization_config\": {\"bits\": 4}}", "quantization_config"},
        {"{\"num_experts\": 8}", "num_experts"},
        {"{\"num_local_experts\": 8}", "num_local_experts"},
        {"{\"partial_rotary_factor\": 0.5}", "partial_rotary_factor"},
        {"{\"rope_parameters\": {\"partial_rotary_factor\": 0.5}}", "partial_rotary_factor"},
        {"{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}", "dynamic"},
        {"{\"rope_scaling\": {\"rope_type\": \"longrope\"}}", "longrope"},
        {"{\"num_hidden_layers\": 1, \"layer_types\": [\"linear_attention\"]}",
         "linear_attention"},
        {"{\"eos_token_id\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "eos_token_id"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuse(rows[i][0], NULL, COP_ERR_UNSUPPORTED, rows[i][1]);
    }
    refuse("{\"model_type\": \"llama\", \"num_hidden_layers\": 1, \"sliding_window\": 4,"
           " \"layer_types\": [\"sliding_attention\"]}",
           NULL, COP_ERR_UNSUPPORTED, "layer_types[0]");
    /* Switched off, they do no harm. */
    const cop_model_config c =
        load("qwen3", "{\"attn_logit_softcapping\": null, \"quantization_config\": null,"
                      " \"num_experts\": 0, \"partial_rotary_factor\": 1.0, \"hidden_act\":"
                      " \"swish\"}");
    assert_int_equal(c.layers, 8);
}

static void test_hostile(void **state)
{
    (void)state;
    static const char *const sizes[] = {
        "hidden_size", "intermediate_size",   "num_hidden_layers", "num_attention_heads",
        "vocab_size",  "num_key_value_heads", "head_dim",          "max_position_embeddings"};
    static const char *const values[] = {
        "0", "-1", "1e3", "\"64\"", "true", "2147483648", "4611686018427387904", "[]", "{}"};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            char changes[128];
            (void)snprintf(changes, sizeof changes, "{\"%s\": %s}", sizes[s], values[v]);
            refuse(changes, NULL, COP_ERR_FORMAT, sizes[s]);
        }
        if (s < 5) refuse("{}", sizes[s], COP_ERR_FORMAT, sizes[s]);
    }
    static const char *const rows[][2] = {
        {"{\"num_hidden_layers\": 257}", "num_hidden_layers"},
        {"{\"num_key_value_heads\": 3}", "num_key_value_heads"},
        {"{\"num_key_value_heads\": 8}", "num_key_value_heads"},
        {"{\"head_dim\": 15}", "head_dim"},
        {"{\"head_dim\": null, \"hidden_size\": 66}", "hidden_size"},
        {"{\"rms_norm_eps\": 0}", "rms_norm_eps"},
        {"{\"rms_norm_eps\": -1e-6}", "rms_norm_eps"},
        {"{\"rms_norm_eps\": 2}", "rms_norm_eps"},
        {"{\"rope_theta\": 0}", "rope_theta"},
        {"{\"rope_theta\": \"1e4\"}", "rope_theta"},
        {"{\"rope_theta\": 1}", "rope_theta"},
        {"{\"rope_scaling\": []}", "rope_scaling"},
        {"{\"rope_scaling\": {\"type\": 3}}", "type"},
        {"{\"rope_scaling\": {\"type\": \"linear\"}}", "factor"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}}", "factor"},
        {"{\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4,"
         " \"high_freq_factor\": 4}}",
         "high_freq_factor"},
        {"{\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8}}", "low_freq_factor"},
        {"{\"model_type\": \"gemma3_text\", \"rope_parameters\": {\"full_attention\": 3}}",
         "full_attention"},
        {"{\"eos_token_id\": -1}", "eos_token_id"},
        {"{\"eos_token_id\": \"</s>\"}", "eos_token_id"},
        {"{\"eos_token_id\": [1, [2]]}", "eos_token_id"},
        {"{\"eos_token_id\": 4294967296}", "eos_token_id"},
        {"{\"tie_word_embeddings\": 1}", "tie_word_embeddings"},
        {"{\"attention_bias\": \"no\"}", "attention_bias"},
        {"{\"layer_types\": [\"full_attention\"]}", "layer_types"},
        {"{\"layer_types\": \"full_attention\"}", "layer_types"},
        {"{\"num_hidden_layers\": 1, \"layer_types\": [3]}", "layer_types[0]"},
        {"{\"num_hidden_layers\": 1, \"layer_types\": [\"sliding_attention\"]}",
         "sliding_window"},
        {"{\"use_sliding_window\": true, \"sliding_window\": 0}", "sliding_window"},
        {"{\"use_sliding_window\": true, \"max_window_layers\": -1}", "max_window_layers"},
        {"{\"model_type\": \"olmo3\", \"sliding_window\": null}", "sliding_window"},
        {"{\"model_type\": 3}", "model_type"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuse(rows[i][0], NULL, COP_ERR_FORMAT, rows[i][1]);
    }
    refuse("{}", "model_type", COP_ERR_FORMAT, "model_type");
}

static void test_damaged(void **state)
{
    (void)state;
    cop_model_config none;
    cop_error absent = {0};
    assert_int_equal(cop_model_config_load("/nonexistent", &none, &absent), COP_ERR_FORMAT);
    assert_non_null(strstr(absent.message, "/nonexistent/config.json: there is no such file"));
    assert_non_null(strstr(absent.message, "Hugging Face layout"));
    static const char *const texts[] = {"",
                                        "[]",
                                        "3",
                                        "{\"model_type\": \"llama\"",
                                        "{\"a\": 1, \"a\": 2}",
                                        "{\"model_type\": \"llama\", \"hidden_size\": NaN}",
                                        "\xff\xfe"};
    cop_model_config config;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cop_error err = {0};
        write_file("config.json", texts[i]);
        assert_int_equal(cop_model_config_load(folder, &config, &err), COP_ERR_FORMAT);
        assert_non_null(strstr(err.message, "config.json"));
    }
    cop_error err = {0};
    write_file("config.json", NULL);
    assert_int_equal(cop_model_config_load(folder, &config, &err), COP_ERR_FORMAT);
    assert_int_equal(cop_model_config_load("/nonexistent", &config, &err), COP_ERR_FORMAT);
}

/* Random edits of a valid file: refused or accepted, never worse, and a refusal names the file.
 */
static void test_mutations(void **state)
{
    (void)state;
    static const char seed_text[] =
        "{\"model_type\": \"olmo3\", \"hidden_size\": 64, \"intermediate_size\": 160,"
        " \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"vocab_size\": 320,"
        " \"sliding_window\": 9, \"layer_types\": [\"sliding_attention\", \"full_attention\"],"
        " \"eos_token_id\": [1, 2], \"rms_norm_eps\": 1e-5, \"rope_scaling\": {\"type\": "
        "\"yarn\","
        " \"factor\": 8.0, \"original_max_position_embeddings\": 8192, \"truncate\": false}}";
    static const char alphabet[] = "\"{}[]:,0123456789.eE-+ntfalsu\\ \x01\xff";
    uint64_t random = 99;
    int accepted = 0;
    for (int round = 0; round < 600; round++) {
        char text[sizeof seed_text];
        memcpy(text, seed_text, sizeof text);
        for (int edit = 0; edit <= round % 3; edit++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            text[(random >> 33) % (sizeof text - 1)] =
                alphabet[(random >> 20) % (sizeof alphabet - 1)];
        }
        cop_model_config config;
        cop_error err = {0};
        write_file("config.json", text);
        const cop_status status = cop_model_config_load(folder, &config, &err);
        accepted += status == COP_OK;
        if (status == COP_OK) {
            assert_in_range(config.layers, 1, COP_MODEL_MAX_LAYERS);
            assert_int_equal(config.heads % config.kv_heads, 0);
        } else {
            assert_true(status == COP_ERR_FORMAT || status == COP_ERR_UNSUPPORTED);
            assert_non_null(strstr(err.message, "config.json"));
        }
    }
    assert_in_range(accepted, 5, 595);
}

static int make_folder(void **state)
{
    (void)state;
    return folder_create(folder);
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_heads),
        cmocka_unit_test(test_biases),         cmocka_unit_test(test_windows),
        cmocka_unit_test(test_rope_spellings), cmocka_unit_test(test_rope_olmo3),
        cmocka_unit_test(test_rope_gemma3),    cmocka_unit_test(test_rope_that_is_passed_over),
        cmocka_unit_test(test_gemma3),         cmocka_unit_test(test_rope_zeros),
        cmocka_unit_test(test_olmo3_notes),    cmocka_unit_test(test_rules),
        cmocka_unit_test(test_stops),          cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_hostile),        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
