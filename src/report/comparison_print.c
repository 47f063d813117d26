/* A comparison for people, and as JSON. */
#include "coppice/report/comparison.h"

#include "coppice/json/json.h"

#include <math.h>
#include <stdio.h>

/* --- for people --- */

static cop_status print_side(const char *name, const cop_side_figures *side, cop_text *text,
                             cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "  %-8s %.3f  %.3f .. %.3f  %7zu  %7.4f  %7.1f", name,
                            side->accuracy, side->accuracy_95.low, side->accuracy_95.high,
                            side->right, side->reward, side->tokens));
    if (side->judged == 0) return cop_text_append(text, "\n", 1, err);
    char content[16] = "none";
    if (side->formed > 0)
        (void)snprintf(content, sizeof content, "%.3f", cop_comparison_content_share(side));
    return cop_text_format(text, err, "  %8.3f  %15s  %19zu\n", cop_comparison_form_share(side),
                           content, side->unformed_right);
}

static cop_status print_cause(const char *name, const cop_cause *cause, const char *who,
                              cop_text *text, cop_error *err)
{
    const size_t count = cause->content + cause->form + cause->other;
    if (count == 0 || count == cause->other) return COP_OK;
    return cop_text_format(text, err,
                           "  of %zu %s: in %zu %s had the form and was wrong in it "
                           "(content), in %zu it lacked the form (form), %zu neither\n",
                           count, name, cause->content, who, cause->form, cause->other);
}

static cop_status print_agreement(const cop_agreement *a, cop_text *text, cop_error *err)
{
    const double prompts = (double)a->prompts;
    COP_TRY(cop_text_format(
        text, err, "off task  %zu prompts: %.3f of the answers identical (%zu)", a->prompts,
        a->prompts == 0 ? 0 : (double)a->identical / prompts, a->identical));
    if (a->prompts == 0 || a->other_words)
        return cop_text_format(text, err, "%s\n",
                               a->other_words ? "; no common tokens: the tokenizers differ"
                                              : "");
    return cop_text_format(text, err, "; alike in the first %.1f tokens of %.1f on average\n",
                           a->prefix / prompts, a->base_tokens / prompts);
}

cop_status cop_comparison_print(const cop_comparison *c, const cop_agreement *agreement,
                                cop_text *text, cop_error *err)
{
    const bool forms = c->base.judged > 0 || c->result.judged > 0;
    COP_TRY(cop_text_format(text, err, "%zu examples accuracy    95%% %11s %8s  %7s%s\n",
                            c->examples, "right", "reward", "tokens",
                            forms ? "   in form  right of those  right without form" : ""));
    COP_TRY(print_side("base", &c->base, text, err));
    COP_TRY(print_side("result", &c->result, text, err));
    if (!forms)
        COP_TRY(cop_text_format(text, err, "  no form: the task wants an answer in none\n"));
    COP_TRY(cop_text_format(
        text, err,
        "gain      %+.3f (95%%, paired: %+.3f .. %+.3f), p %.3g by McNemar's "
        "exact test: %zu fixed, %zu broken\n",
        c->gain, c->gain_95.low, c->gain_95.high, c->test.exact, c->test.gained, c->test.lost));
    COP_TRY(print_cause("fixed", &c->fixed, "the base", text, err));
    COP_TRY(print_cause("broken", &c->broken, "the result", text, err));
    return agreement == NULL ? COP_OK : print_agreement(agreement, text, err);
}

/* --- for machines --- */

static json_t *side_json(const cop_side_figures *s)
{
    return json_pack("{s:I, s:f, s:[f,f], s:f, s:f, s:I, s:I, s:I, s:I, s:o?, s:o?}", "correct",
                     (json_int_t)s->right, "accuracy", s->accuracy, "accuracy_95",
                     s->accuracy_95.low, s->accuracy_95.high, "reward", s->reward, "tokens",
                     s->tokens, "judged_form", (json_int_t)s->judged, "in_form",
                     (json_int_t)s->formed, "in_form_correct", (json_int_t)s->formed_right,
                     "no_form_correct", (json_int_t)s->unformed_right, "form_share",
                     cop_json_real(cop_comparison_form_share(s)), "content_share",
                     cop_json_real(cop_comparison_content_share(s)));
}

static json_t *cause_json(const cop_cause *c)
{
    return json_pack("{s:I, s:I, s:I}", "content", (json_int_t)c->content, "form",
                     (json_int_t)c->form, "other", (json_int_t)c->other);
}

static json_t *agreement_json(const cop_agreement *a)
{
    const double prompts = a->prompts == 0 ? NAN : (double)a->prompts;
    return json_pack("{s:I, s:I, s:o?, s:o?, s:o?}", "prompts", (json_int_t)a->prompts,
                     "identical", (json_int_t)a->identical, "identical_share",
                     cop_json_real((double)a->identical / prompts), "common_prefix_tokens",
                     cop_json_real(a->other_words ? NAN : a->prefix / prompts), "base_tokens",
                     cop_json_real(a->base_tokens / prompts));
}

json_t *cop_comparison_json(const cop_comparison *c, const cop_agreement *agreement)
{
    return json_pack("{s:I, s:o, s:o, s:f, s:[f,f], s:f, s:I, s:I, s:o, s:o, s:o?}", "examples",
                     (json_int_t)c->examples, "base", side_json(&c->base), "result",
                     side_json(&c->result), "gain", c->gain, "gain_95", c->gain_95.low,
                     c->gain_95.high, "mcnemar_p", c->test.exact, "fixed",
                     (json_int_t)c->test.gained, "broken", (json_int_t)c->test.lost, "fixed_by",
                     cause_json(&c->fixed), "broken_by", cause_json(&c->broken), "off_task",
                     agreement != NULL ? agreement_json(agreement) : NULL);
}
