/* Stored weights to binary32 and back with AVX2 and F16C; what is left of a run and binary32 go
 * the scalar way. */
#include "rebuild/storage.h"

#if defined(__AVX2__) && defined(__F16C__)
#include <immintrin.h>

enum { LANES = 8 };

/* As cop_f32_to_bf16(). */
static __m256i bf16_of(__m256i bits)
{
    const __m256i top = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(top, _mm256_set1_epi32(1));
    const __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i quiet = _mm256_or_si256(top, _mm256_set1_epi32(0x40));
    const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    const __m256i nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
    return _mm256_blendv_epi8(rounded, quiet, nan);
}

void cop_storage_widen_avx2(float *out, const void *stored, cop_dtype dtype, size_t count)
{
    const char *const bytes = stored;
    size_t done = 0;
    if (dtype == COP_BF16) {
        for (; count - done >= LANES; done += LANES) {
            const __m128i in =
                _mm_loadu_si128((const __m128i *)(const void *)(bytes + 2 * done));
            const __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(in), 16);
            _mm256_storeu_ps(out + done, _mm256_castsi256_ps(wide));
        }
    } else if (dtype == COP_F16) {
        for (; count - done >= LANES; done += LANES) {
            const __m128i in =
                _mm_loadu_si128((const __m128i *)(const void *)(bytes + 2 * done));
            _mm256_storeu_ps(out + done, _mm256_cvtph_ps(in));
        }
    }
    const size_t offset = done * cop_dtype_size(dtype);
    cop_storage_widen_scalar(out + done, bytes + offset, dtype, count - done);
}

void cop_storage_narrow_avx2(void *stored, const float *values, cop_dtype dtype, size_t count)
{
    char *const bytes = stored;
    size_t done = 0;
    if (dtype == COP_BF16) {
        for (; count - done >= LANES; done += LANES) {
            const __m256i wide = bf16_of(_mm256_castps_si256(_mm256_loadu_ps(values + done)));
            const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(wide),
                                                    _mm256_extracti128_si256(wide, 1));
            _mm_storeu_si128((__m128i *)(void *)(bytes + 2 * done), packed);
        }
    } else if (dtype == COP_F16) {
        for (; count - done >= LANES; done += LANES) {
            const __m128i packed =
                _mm256_cvtps_ph(_mm256_loadu_ps(values + done), _MM_FROUND_TO_NEAREST_INT);
            _mm_storeu_si128((__m128i *)(void *)(bytes + 2 * done), packed);
        }
    }
    const size_t offset = done * cop_dtype_size(dtype);
    cop_storage_narrow_scalar(bytes + offset, values + done, dtype, count - done);
}

void cop_storage_add_avx2(float *sums, const float *values, float factor, size_t count)
{
    const __m256 by = _mm256_set1_ps(factor);
    size_t done = 0;
    for (; count - done >= LANES; done += LANES)
        _mm256_storeu_ps(sums + done, _mm256_fmadd_ps(by, _mm256_loadu_ps(values + done),
                                                      _mm256_loadu_ps(sums + done)));
    cop_storage_add_scalar(sums + done, values + done, factor, count - done);
}
#endif
