/* How matches become pieces (pretokenize.h). */
#include "tokenizer/pretokenize.h"

static cop_status append_piece(cop_spans *pieces, size_t start, size_t end, cop_error *err)
{
    if (start == end) return COP_OK;
    return cop_spans_append(pieces, (cop_span){.start = start, .end = end}, err);
}

/* True if the span goes on the piece that the one before it is in. */
static bool joins(const cop_span *span, const cop_span *before, cop_split_behavior behavior,
                  bool invert)
{
    const bool match = span->match != invert;
    const bool match_before = before->match != invert;
    switch (behavior) {
    case COP_SPLIT_WITH_BEFORE:
        return match && !match_before;
    case COP_SPLIT_WITH_NEXT:
        return !match && match_before;
    case COP_SPLIT_CONTIGUOUS:
        return match == match_before;
    case COP_SPLIT_ISOLATED:
    case COP_SPLIT_REMOVED:
        break;
    }
    return false;
}

cop_status cop_spans_cut(const cop_spans *spans, cop_split_behavior behavior, bool invert,
                         cop_spans *pieces, cop_error *err)
{
    size_t start = 0;
    for (size_t i = 0; i < spans->count; i++) {
        const cop_span *const span = &spans->data[i];
        if (i == 0 || !joins(span, span - 1, behavior, invert)) start = span->start;
        const bool goes_on = i + 1 < spans->count && joins(span + 1, span, behavior, invert);
        const bool removed = behavior == COP_SPLIT_REMOVED && span->match != invert;
        if (!goes_on && !removed) COP_TRY(append_piece(pieces, start, span->end, err));
    }
    return COP_OK;
}
