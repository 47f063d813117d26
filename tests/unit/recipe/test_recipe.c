/* Recipes: round trip to the bit, strict parsing, scope. */
#include "unit/formats_support.h"

#include "coppice/recipe/recipe.h"

#include <float.h>
#include <math.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static cop_recipe *parse_ok(const char *json)
{
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    if (cop_recipe_parse(json, strlen(json), "r.json", &recipe, &err) != COP_OK) {
        fail_msg("%s", err.message);
    }
    return recipe;
}

static void expect_refused(const char *json, size_t length, cop_status status, const char *word)
{
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    const cop_status got = cop_recipe_parse(json, length, "r.json", &recipe, &err);
    if (got != status || strstr(err.message, word) == NULL) {
        fail_msg("%s\ngot %s: %s; wanted %s: %s", json, cop_status_name(got), err.message,
                 cop_status_name(status), word);
    }
    assert_memory_equal(err.message, "r.json: ", 8);
    assert_null(recipe);
}

static float scale_of(const cop_recipe *recipe, const char *name)
{
    const cop_tensor_info tensor = {.name = name, .dtype = COP_F32};
    return cop_recipe_scale(recipe, NULL, &tensor);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void test_create(void **state)
{
    (void)state;
    cop_recipe *recipe = NULL;
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    assert_int_equal(recipe->component_count, 0);
    assert_int_equal(recipe->scope_count, 1);
    assert_string_equal(recipe->scope[0], "*");
    assert_true(scale_of(recipe, "model.norm.weight") == 1.0F);
    cop_text text = {0};
    assert_int_equal(cop_recipe_print(recipe, &text, NULL), COP_OK);
    assert_string_equal(text.data, "{\n"
                                   "  \"version\": 1,\n"
                                   "  \"noise_version\": 1,\n"
                                   "  \"base_sha256\": \"\",\n"
                                   "  \"scope\": [\"*\"],\n"
                                   "  \"scaling\": \"absolute\",\n"
                                   "  \"components\": []\n"
                                   "}\n");
    cop_text_free(&text);
    cop_recipe_destroy(&recipe);
    assert_null(recipe);
    cop_recipe_destroy(&recipe);
}

static void test_print(void **state)
{
    (void)state;
    static const cop_component components[] = {{.seed = UINT64_MAX, .amplitude = 0.001F},
                                               {.seed = 0, .amplitude = 0.0F},
                                               {.seed = 7, .amplitude = -1.0F},
                                               {.seed = 42, .amplitude = -0.0F},
                                               {.seed = 1, .amplitude = 1.5e-20F}};
    static const char *const scope[] = {"*.mlp.*", "say \"hi\" \\ \xc3\xa9"};
    static const char metrics[] =
        "{ \"a b\" : [ 1.10, 2e3, \" x \\\" y \" ],\n\t\"c\": {}\r\n}";
    static const char wanted[] =
        "{\n"
        "  \"version\": 1,\n"
        "  \"noise_version\": 1,\n"
        "  \"base_sha256\": \"" DIGEST "\",\n"
        "  \"scope\": [\"*.mlp.*\", \"say \\\"hi\\\" \\\\ \xc3\xa9\"],\n"
        "  \"scaling\": \"absolute\",\n"
        "  \"components\": [\n"
        "    {\"seed\": \"18446744073709551615\", \"amplitude\": 0.00100000005},\n"
        "    {\"seed\": \"7\", \"amplitude\": -1},\n"
        "    {\"seed\": \"1\", \"amplitude\": 1.49999995e-20}\n"
        "  ],\n"
        "  \"metrics\": {\"a b\":[1.10,2e3,\" x \\\" y \"],\"c\":{}}\n"
        "}\n";
    cop_recipe *recipe = NULL;
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    memcpy(recipe->base_sha256, DIGEST, sizeof DIGEST);
    assert_int_equal(cop_recipe_set_components(recipe, components, 5, NULL), COP_OK);
    assert_true(cop_recipe_is_valid(recipe));
    const float kept = recipe->components[0].amplitude;
    recipe->components[0].amplitude = 0;
    assert_false(cop_recipe_is_valid(recipe));
    recipe->components[0].amplitude = kept;
    assert_int_equal(recipe->component_count, 3); /* zeros are dropped */
    assert_int_equal(cop_recipe_set_scope(recipe, scope, 2, NULL), COP_OK);
    recipe->metrics_json = cop_memory_copy_string(metrics, strlen(metrics), NULL);
    cop_text text = {0};
    assert_int_equal(cop_recipe_print(recipe, &text, NULL), COP_OK);
    assert_string_equal(text.data, wanted);
    cop_recipe_destroy(&recipe);

    recipe = parse_ok(text.data);
    assert_string_equal(recipe->metrics_json, "{\"a b\":[1.10,2e3,\" x \\\" y \"],\"c\":{}}");
    cop_text again = {0};
    assert_int_equal(cop_recipe_print(recipe, &again, NULL), COP_OK);
    assert_string_equal(again.data, text.data);
    cop_recipe_destroy(&recipe);
    cop_text_free(&text);
    cop_text_free(&again);
}

/* Sums: version 2, and the same text and components again; what adds nothing is left out. */
static void test_sums(void **state)
{
    (void)state;
    static const cop_component components[] = {
        {.seed = 1, .amplitude = 0.5F},
        {.seed = 2, .amplitude = 1, .factor = COP_IN_SUM},
        {.seed = 3, .amplitude = -1, .factor = COP_IN_SUM},
        {.seed = 4, .amplitude = 0, .factor = 0.25F}, /* the sum ends with seed 3 */
        {.seed = 5, .amplitude = 0, .factor = COP_IN_SUM},
        {.seed = 6, .amplitude = 0, .factor = 2}, /* nothing is left of this one */
        {.seed = 7, .amplitude = 2, .factor = -3},
        {.seed = 8, .amplitude = 4}};
    static const char wanted[] = "  \"components\": [\n"
                                 "    {\"seed\": \"1\", \"amplitude\": 0.5},\n"
                                 "    {\"factor\": 0.25, \"sum\": [\n"
                                 "      {\"seed\": \"2\", \"amplitude\": 1},\n"
                                 "      {\"seed\": \"3\", \"amplitude\": -1}\n"
                                 "    ]},\n"
                                 "    {\"factor\": -3, \"sum\": [\n"
                                 "      {\"seed\": \"7\", \"amplitude\": 2}\n"
                                 "    ]},\n"
                                 "    {\"seed\": \"8\", \"amplitude\": 4}\n"
                                 "  ]\n}\n";
    cop_recipe *recipe = NULL;
    cop_text text = {0};
    cop_text again = {0};
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    assert_int_equal(cop_recipe_set_components(recipe, components, 8, NULL), COP_OK);
    assert_true(cop_recipe_is_valid(recipe));
    assert_int_equal(cop_recipe_print(recipe, &text, NULL), COP_OK);
    assert_non_null(strstr(text.data, "\"version\": 2"));
    assert_string_equal(strstr(text.data, "  \"components\""), wanted);
    cop_recipe *back = parse_ok(text.data);
    assert_int_equal(back->component_count, 5);
    assert_memory_equal(back->components, recipe->components, 5 * sizeof *components);
    assert_int_equal(cop_recipe_print(back, &again, NULL), COP_OK);
    assert_string_equal(again.data, text.data);
    back->components[4].factor = COP_IN_SUM;
    assert_false(cop_recipe_is_valid(back)); /* a sum without an end */
    back->components[4].factor = NAN;
    assert_false(cop_recipe_is_valid(back));
    cop_recipe_destroy(&back);
    cop_recipe_destroy(&recipe);
    cop_text_free(&text);
    cop_text_free(&again);
}

/* Version 2 without sums is taken, a sum whose factor is zero left out. */
static void test_sums_that_add_nothing(void **state)
{
    (void)state;
    cop_recipe *const recipe = parse_ok(
        "{\"version\":2,\"noise_version\":1,\"base_sha256\":\"\",\"scope\":[\"*\"],"
        "\"scaling\":\"absolute\",\"components\":[{\"factor\":0,\"sum\":[{\"seed\":\"1\","
        "\"amplitude\":1}]},{\"seed\":\"9\",\"amplitude\":1}]}");
    cop_recipe *back = recipe;
    cop_text text = {0};
    assert_int_equal(recipe->component_count, 1);
    assert_int_equal(recipe->components[0].seed, 9);
    assert_int_equal(cop_recipe_print(recipe, &text, NULL), COP_OK);
    assert_non_null(strstr(text.data, "\"version\": 1"));
    cop_text_free(&text);
    cop_recipe_destroy(&back);
}

/* Digests of the base's files and a head of its own come back; what is not known is refused. */
static void test_base_files(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "[]", "{\"config.json\": 1}", "{\"config.json\": \"12\"}", "{\"config.json\": \"\"}",
        "{\"other.json\": \"none\"}"};
    cop_recipe *recipe = NULL;
    cop_text text = {0};
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    (void)strcpy(recipe->files.digest[0], DIGEST);
    (void)strcpy(recipe->files.digest[6], "none");
    recipe->untied_head = true;
    assert_int_equal(cop_recipe_print(recipe, &text, NULL), COP_OK);
    assert_non_null(strstr(text.data, "  \"files\": {\n    \"config.json\": \"" DIGEST "\",\n"
                                      "    \"chat_template\": \"none\"\n  },\n"
                                      "  \"untied_head\": true,\n  \"components\": []"));
    cop_recipe_destroy(&recipe);
    recipe = parse_ok(text.data);
    assert_string_equal(recipe->files.digest[0], DIGEST);
    assert_string_equal(recipe->files.digest[1], "");
    assert_string_equal(recipe->files.digest[6], "none");
    assert_true(recipe->untied_head && cop_identity_is_known(&recipe->files));
    cop_recipe_destroy(&recipe);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        cop_text_clear(&text);
        assert_int_equal(cop_text_format(&text, NULL,
                                         "{\"version\":1,\"noise_version\":1,\"base_sha256\":"
                                         "\"\",\"scope\":[\"*\"],\"scaling\":\"absolute\","
                                         "\"files\":%s,\"components\":[]}",
                                         refused[i]),
                         COP_OK);
        expect_refused(text.data, text.length, COP_ERR_FORMAT, "files");
    }
    cop_text_free(&text);
}

/* Every kind of binary32 number survives, subnormals and the largest included. */
static void test_round_trip(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    cop_component *const components = calloc(COUNT, sizeof *components);
    uint64_t seed = 5;
    for (size_t i = 0; i < COUNT; i++) {
        components[i].seed = (uint64_t)next_random(&seed) << 33 ^ next_random(&seed);
        do {
            const uint32_t bits = next_random(&seed) << 1 ^ next_random(&seed);
            memcpy(&components[i].amplitude, &bits, sizeof bits);
        } while (!isfinite(components[i].amplitude) || components[i].amplitude == 0.0F);
    }
    components[0].amplitude = FLT_MAX;
    components[1].amplitude = -FLT_MIN;
    components[2].amplitude = FLT_TRUE_MIN;
    components[3].amplitude = nextafterf(1.0F, 2.0F);
    cop_recipe *recipe = NULL;
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    assert_int_equal(cop_recipe_set_components(recipe, components, COUNT, NULL), COP_OK);
    /* Setting a recipe's components from its own is allowed. */
    assert_int_equal(cop_recipe_set_components(recipe, recipe->components, COUNT, NULL),
                     COP_OK);

    char *const dir = scratch_make();
    char *const path = path_in(dir, "recipe.json");
    assert_int_equal(cop_recipe_write(recipe, path, NULL), COP_OK);
    assert_int_equal(count_entries(dir), 1);
    cop_recipe *back = NULL;
    assert_int_equal(cop_recipe_read(path, &back, NULL), COP_OK);
    assert_int_equal(back->component_count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(back->components[i].seed, components[i].seed);
        assert_int_equal(bits_of(back->components[i].amplitude),
                         bits_of(components[i].amplitude));
    }
    assert_null(back->metrics_json);
    cop_recipe_destroy(&back);
    cop_recipe_destroy(&recipe);
    cop_memory_free(path);
    scratch_remove(dir);
    free(components);
}

/* The rank goes out and comes back, and asks for a version of its own. */
static void test_low_rank(void **state)
{
    (void)state;
    cop_recipe *recipe = NULL;
    cop_recipe *back = NULL;
    cop_text text = {0};
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    recipe->noise_rank = 12;
    assert_int_equal(cop_recipe_print(recipe, &text, NULL), COP_OK);
    assert_non_null(strstr(text.data, "  \"version\": 3,\n"));
    assert_non_null(strstr(text.data, "  \"noise\": \"rank-12\",\n"));
    assert_int_equal(cop_recipe_parse(text.data, text.length, "r", &back, NULL), COP_OK);
    assert_int_equal(back->noise_rank, 12);
    const cop_tensor_info matrix = {.rank = 2, .shape = {6, 4}, .count = 24};
    const cop_tensor_info stack = {.rank = 3, .shape = {3, 2, 4}, .count = 24};
    const cop_tensor_info vector = {.rank = 1, .shape = {24}, .count = 24};
    const cop_low_rank low = cop_recipe_low_rank(back, &matrix);
    assert_int_equal(low.rank, 12);
    assert_int_equal(low.rows, 6);
    assert_int_equal(low.columns, 4);
    assert_int_equal(cop_recipe_low_rank(back, &stack).rows, 6);
    assert_int_equal(cop_recipe_low_rank(back, &vector).rank, 0);
    back->noise_rank = 0;
    assert_int_equal(cop_recipe_low_rank(back, &matrix).rank, 0);
    cop_text_free(&text);
    cop_recipe_destroy(&back);
    cop_recipe_destroy(&recipe);
}

static void test_setters_refuse(void **state)
{
    (void)state;
    static const cop_component bad[][1] = {{{.seed = 1, .amplitude = INFINITY}},
                                           {{.seed = 1, .amplitude = -INFINITY}},
                                           {{.seed = 1, .amplitude = NAN}}};
    static const cop_component good[] = {{.seed = 1, .amplitude = 1.0F}};
    static const char *const empty[] = {""};
    static const char *const invalid[] = {"\xff"};
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    assert_int_equal(cop_recipe_set_components(recipe, good, 1, NULL), COP_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cop_recipe_set_components(recipe, bad[i], 1, &err), COP_ERR_NUMERIC);
    }
    const cop_component endless = {.seed = 1, .amplitude = 1, .factor = COP_IN_SUM};
    const cop_component negative = {.seed = 1, .amplitude = 1, .factor = -COP_IN_SUM};
    const cop_component broken[] = {endless, {.seed = 1, .amplitude = 1}};
    assert_int_equal(cop_recipe_set_components(recipe, &endless, 1, &err), COP_ERR_INTERNAL);
    assert_int_equal(cop_recipe_set_components(recipe, broken, 2, &err), COP_ERR_INTERNAL);
    assert_int_equal(cop_recipe_set_components(recipe, &negative, 1, &err), COP_ERR_NUMERIC);
    assert_int_equal(cop_recipe_set_scope(recipe, empty, 1, &err), COP_ERR_CONFIG);
    assert_int_equal(cop_recipe_set_scope(recipe, invalid, 1, &err), COP_ERR_CONFIG);
    assert_int_equal(cop_recipe_set_scope(recipe, NULL, 0, &err), COP_ERR_CONFIG);
    assert_int_equal(recipe->component_count, 1);
    assert_int_equal(recipe->scope_count, 1);
    recipe->metrics_json = cop_memory_copy_string("[1]", 3, NULL);
    cop_text text = {0};
    assert_int_equal(cop_recipe_print(recipe, &text, &err), COP_ERR_INTERNAL);
    cop_text_free(&text);
    cop_recipe_destroy(&recipe);
}

static void test_scale(void **state)
{
    (void)state;
    static const char *const scope[] = {"model.layers.[0-3].*", "lm_head.weight"};
    cop_recipe *recipe = NULL;
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    assert_int_equal(cop_recipe_set_scope(recipe, scope, 2, NULL), COP_OK);
    assert_true(scale_of(recipe, "model.layers.3.mlp.up_proj.weight") == 1.0F);
    assert_true(scale_of(recipe, "lm_head.weight") == 1.0F);
    assert_true(scale_of(recipe, "lm_head.weights") == 0.0F);
    assert_true(scale_of(recipe, "model.layers.4.mlp.up_proj.weight") == 0.0F);
    assert_true(scale_of(recipe, "") == 0.0F);
    cop_recipe_destroy(&recipe);
}

/* --- strict parsing: one field of a good recipe replaced --- */

typedef struct replacement {
    const char *field;
    const char *text; /* the whole member; "" to leave it out */
    cop_status status;
    const char *word;
} replacement;

static const char *const members[][2] = {
    {"version", "\"version\":1"},
    {"noise_version", "\"noise_version\":1"},
    {"base_sha256", "\"base_sha256\":\"" DIGEST "\""},
    {"scope", "\"scope\":[\"*\"]"},
    {"scaling", "\"scaling\":\"absolute\""},
    {"components", "\"components\":[{\"seed\":\"1\",\"amplitude\":0.5}]"},
    {"metrics", "\"metrics\":{}"},
};

static void build(cop_text *text, const char *field, const char *replaced)
{
    cop_text_clear(text);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const bool here = strcmp(members[i][0], field) == 0;
        const char *const member = here ? replaced : members[i][1];
        if (member[0] == '\0') continue;
        assert_int_equal(
            cop_text_format(text, NULL, "%s%s", text->length == 0 ? "{" : ",", member), COP_OK);
    }
    assert_int_equal(cop_text_append(text, "}", 1, NULL), COP_OK);
}

#define COMPONENT(text) "\"components\":[{\"seed\":\"1\",\"amplitude\":1}," text "]"

#define ONE "{\"seed\":\"1\",\"amplitude\":1}"
#define SUM(factor, list) "{\"factor\":" factor ",\"sum\":[" list "]}"

static const replacement strict_cases[] = {
    {"version", "", COP_ERR_FORMAT, "version"},
    {"version", "\"version\":4", COP_ERR_UNSUPPORTED,
     "is 4; this program knows versions 1 to 3"},
    {"version", "\"version\":0", COP_ERR_UNSUPPORTED, "is 0"},
    {"version", "\"version\":1.0", COP_ERR_FORMAT, "version"},
    {"version", "\"version\":\"1\"", COP_ERR_FORMAT, "version"},
    {"version", "\"version\":1,\"version\":1", COP_ERR_FORMAT, "duplicate"},
    {"version", "\"version\":1,\"other\":1", COP_ERR_FORMAT, "unknown field \"other\""},
    {"version", "\"version\":4,\"other\":1", COP_ERR_UNSUPPORTED, "is 4"},
    {"version", "\"version\":2,\"other\":1", COP_ERR_FORMAT, "unknown field \"other\""},
    {"version", "\"version\":1,\"noise\":\"rank-1\"", COP_ERR_FORMAT,
     "unknown field \"noise\""},
    {"version", "\"version\":2,\"noise\":\"rank-1\"", COP_ERR_FORMAT, "of version 3"},
    {"version", "\"version\":3,\"noise\":\"full\"", COP_ERR_UNSUPPORTED, "\"rank-64\""},
    {"version", "\"version\":3,\"noise\":\"rank-0\"", COP_ERR_UNSUPPORTED, "\"rank-64\""},
    {"version", "\"version\":3,\"noise\":\"rank-65\"", COP_ERR_UNSUPPORTED, "\"rank-64\""},
    {"version", "\"version\":3,\"noise\":\"rank-04\"", COP_ERR_UNSUPPORTED, "\"rank-64\""},
    {"version", "\"version\":3,\"noise\":4", COP_ERR_UNSUPPORTED, "\"rank-64\""},
    {"noise_version", "", COP_ERR_FORMAT, "noise_version"},
    {"noise_version", "\"noise_version\":2", COP_ERR_UNSUPPORTED, "knows version 1"},
    {"base_sha256", "", COP_ERR_FORMAT, "base_sha256"},
    {"base_sha256", "\"base_sha256\":null", COP_ERR_FORMAT, "base_sha256"},
    {"base_sha256", "\"base_sha256\":\"12\"", COP_ERR_FORMAT, "base_sha256"},
    {"base_sha256", "\"base_sha256\":\"" DIGEST "0\"", COP_ERR_FORMAT, "base_sha256"},
    {"base_sha256",
     "\"base_sha256\":\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"",
     COP_ERR_FORMAT, "base_sha256"},
    {"scope", "", COP_ERR_FORMAT, "scope"},
    {"scope", "\"scope\":\"*\"", COP_ERR_FORMAT, "scope"},
    {"scope", "\"scope\":[]", COP_ERR_FORMAT, "scope"},
    {"scope", "\"scope\":[1]", COP_ERR_FORMAT, "entry 0"},
    {"scope", "\"scope\":[\"a\",null]", COP_ERR_FORMAT, "entry 1"},
    {"scope", "\"scope\":[\"\"]", COP_ERR_FORMAT, "scope"},
    {"scope", "\"scope\":[\"\xff\"]", COP_ERR_FORMAT, "line 1"},
    {"scaling", "", COP_ERR_FORMAT, "scaling"},
    {"scaling", "\"scaling\":1", COP_ERR_FORMAT, "scaling"},
    {"scaling", "\"scaling\":\"RMS\"", COP_ERR_UNSUPPORTED, "rms"},
    {"scaling", "\"scaling\":\"relative\"", COP_ERR_UNSUPPORTED, "relative"},
    {"components", "", COP_ERR_FORMAT, "components"},
    {"components", "\"components\":{}", COP_ERR_FORMAT, "components"},
    {"components", COMPONENT("1"), COP_ERR_FORMAT, "entry 1"},
    {"components", COMPONENT("{}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"1\"}"), COP_ERR_FORMAT, "amplitude"},
    {"components", COMPONENT("{\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":1,\"x\":1}"), COP_ERR_FORMAT,
     "unknown field \"x\""},
    {"components", COMPONENT("{\"seed\":1,\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"\",\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"-1\",\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"+1\",\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\" 1\",\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"1 \",\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"01\",\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"0x1\",\"amplitude\":1}"), COP_ERR_FORMAT, "seed"},
    {"components", COMPONENT("{\"seed\":\"18446744073709551616\",\"amplitude\":1}"),
     COP_ERR_FORMAT, "64 bits"},
    {"components", COMPONENT("{\"seed\":\"99999999999999999999\",\"amplitude\":1}"),
     COP_ERR_FORMAT, "64 bits"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":\"1\"}"), COP_ERR_FORMAT,
     "amplitude"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":null}"), COP_ERR_FORMAT,
     "amplitude"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":NaN}"), COP_ERR_FORMAT, "line 1"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":1e999}"), COP_ERR_FORMAT,
     "amplitude"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":3.5e38}"), COP_ERR_FORMAT,
     "binary32"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":-1e300}"), COP_ERR_FORMAT,
     "binary32"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":1e-46}"), COP_ERR_FORMAT,
     "binary32"},
    {"components", COMPONENT("{\"seed\":\"1\",\"amplitude\":1,\"amplitude\":2}"),
     COP_ERR_FORMAT, "duplicate"},
    /* A sum is of version 2. */
    {"components", COMPONENT(SUM("1", ONE)), COP_ERR_FORMAT, "unknown field \"factor\""},
    {"metrics", "\"metrics\":[]", COP_ERR_FORMAT, "metrics"},
    {"metrics", "\"metrics\":null", COP_ERR_FORMAT, "metrics"},
    {"metrics", "\"metr\\u0069cs\":{}", COP_ERR_FORMAT, "escapes"},
};

/* Version 2, its components. */
static const replacement sum_cases[] = {
    {"", SUM("1", "1"), COP_ERR_FORMAT, "\"sum\" entry 0"},
    {"", SUM("1", ONE ",{}"), COP_ERR_FORMAT, "\"sum\" entry 1"},
    {"", SUM("1", ""), COP_ERR_FORMAT, "not a list of components"},
    {"", "{\"factor\":1,\"sum\":{}}", COP_ERR_FORMAT, "not a list of components"},
    {"", "{\"factor\":1,\"sum\":null}", COP_ERR_FORMAT, "not a list of components"},
    {"", "{\"factor\":1}", COP_ERR_FORMAT, "unknown field \"factor\""},
    {"", "{\"sum\":[" ONE "]}", COP_ERR_FORMAT, "\"factor\" is missing"},
    {"", SUM("\"1\"", ONE), COP_ERR_FORMAT, "\"factor\""},
    {"", SUM("1e39", ONE), COP_ERR_FORMAT, "\"factor\" is 1e+39, beyond"},
    {"", SUM("1e-46", ONE), COP_ERR_FORMAT, "\"factor\" is 1e-46, beyond"},
    {"", SUM("1", SUM("1", ONE)), COP_ERR_FORMAT, "unknown field"},
    {"", "{\"factor\":1,\"seed\":\"1\",\"sum\":[" ONE "]}", COP_ERR_FORMAT,
     "unknown field \"seed\""},
};

static void test_strict_sums(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sum_cases / sizeof sum_cases[0]; i++) {
        cop_text text = {0};
        assert_int_equal(
            cop_text_format(&text, NULL,
                            "{\"version\":2,\"noise_version\":1,\"base_sha256\":\"\","
                            "\"scope\":[\"*\"],\"scaling\":\"absolute\",\"components\":["
                            "%s]}",
                            sum_cases[i].text),
            COP_OK);
        expect_refused(text.data, text.length, sum_cases[i].status, sum_cases[i].word);
        cop_text_free(&text);
    }
}

static void test_strict(void **state)
{
    (void)state;
    cop_text text = {0};
    for (size_t i = 0; i < sizeof strict_cases / sizeof strict_cases[0]; i++) {
        build(&text, strict_cases[i].field, strict_cases[i].text);
        expect_refused(text.data, text.length, strict_cases[i].status, strict_cases[i].word);
    }
    build(&text, "", "");
    cop_recipe *recipe = parse_ok(text.data);
    assert_string_equal(recipe->base_sha256, DIGEST);
    assert_string_equal(recipe->metrics_json, "{}");
    cop_recipe_destroy(&recipe);
    for (size_t length = 0; length < text.length; length++) { /* cut anywhere */
        expect_refused(text.data, length, COP_ERR_FORMAT, "line 1");
    }
    cop_text_free(&text);
    expect_refused("[]", 2, COP_ERR_FORMAT, "object");
    expect_refused("{\0}", 3, COP_ERR_FORMAT, "NUL byte at 1");
    expect_refused("{\"version\":1\0}", 13, COP_ERR_FORMAT, "NUL byte at 12");
}

/* What may stand in a recipe besides the plain form. */
static void test_lenient(void **state)
{
    (void)state;
    cop_text text = {0};
    build(&text, "metrics", "");
    cop_recipe *recipe = parse_ok(text.data);
    assert_null(recipe->metrics_json);
    cop_recipe_destroy(&recipe);
    build(&text, "base_sha256", "\"base_sha256\":\"\"");
    recipe = parse_ok(text.data);
    assert_string_equal(recipe->base_sha256, "");
    cop_recipe_destroy(&recipe);
    build(&text, "components",
          "\"components\":[{\"amplitude\":2,\"seed\":\"0\"},{\"seed\":\"18446744073709551615\","
          "\"amplitude\":1e-40},{\"seed\":\"5\",\"amplitude\":0.0},{\"seed\":\"0\","
          "\"amplitude\":-2}]");
    recipe = parse_ok(text.data);
    assert_int_equal(recipe->component_count, 3);
    assert_true(recipe->components[0].amplitude == 2.0F);
    assert_true(recipe->components[1].seed == UINT64_MAX);
    assert_true(recipe->components[2].amplitude == -2.0F);
    cop_recipe_destroy(&recipe);
    /* A member of the same name further down, and brackets in strings, do not confuse. */
    build(&text, "metrics",
          " \"metrics\" \t: { \"metrics\" : { \"x\" : \"}, \\\"metrics\\\": [\\\\\" } } \n");
    recipe = parse_ok(text.data);
    assert_string_equal(recipe->metrics_json,
                        "{\"metrics\":{\"x\":\"}, \\\"metrics\\\": [\\\\\"}}");
    cop_recipe_destroy(&recipe);
    cop_text_free(&text);
}

static void test_files(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    char *const path = path_in(dir, "r.json");
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    assert_int_equal(cop_recipe_read(path, &recipe, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(cop_recipe_create(&recipe, NULL), COP_OK);
    char *const nowhere = path_in(path, "r.json");
    assert_int_equal(cop_recipe_write(recipe, nowhere, &err), COP_ERR_IO);
    assert_int_equal(count_entries(dir), 0);
    cop_recipe_destroy(&recipe);
    cop_memory_free(nowhere);
    cop_memory_free(path);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),         cmocka_unit_test(test_print),
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_low_rank),
        cmocka_unit_test(test_setters_refuse), cmocka_unit_test(test_scale),
        cmocka_unit_test(test_strict),         cmocka_unit_test(test_strict_sums),
        cmocka_unit_test(test_sums),           cmocka_unit_test(test_sums_that_add_nothing),
        cmocka_unit_test(test_lenient),        cmocka_unit_test(test_files),
        cmocka_unit_test(test_base_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
