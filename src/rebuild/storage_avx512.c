/* Stored weights to binary32 and back with AVX-512; what is left of a run and binary32 go the
 * scalar way. */
#include "rebuild/storage.h"

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>

enum { LANES = 16 };

/* As cop_f32_to_bf16(). */
static __m256i bf16_of(__m512i bits)
{
    const __m512i top = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(top, _mm512_set1_epi32(1));
    const __m512i bias = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
    const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    const __mmask16 nan = _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7f800000));
    return _mm512_cvtepi32_epi16(
        _mm512_mask_or_epi32(rounded, nan, top, _mm512_set1_epi32(0x40)));
}

void cop_storage_widen_avx512(float *out, const void *stored, cop_dtype dtype, size_t count)
{
    const char *const bytes = stored;
    size_t done = 0;
    if (dtype == COP_BF16) {
        for (; count - done >= LANES; done += LANES) {
            const __m256i in =
                _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 2 * done));
            const __m512i wide = _mm512_slli_epi32(_mm512_cvtepu16_epi32(in), 16);
            _mm512_storeu_ps(out + done, _mm512_castsi512_ps(wide));
        }
    } else if (dtype == COP_F16) {
        for (; count - done >= LANES; done += LANES) {
            const __m256i in =
                _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 2 * done));
            _mm512_storeu_ps(out + done, _mm512_cvtph_ps(in));
        }
    }
    const size_t offset = done * cop_dtype_size(dtype);
    cop_storage_widen_scalar(out + done, bytes + offset, dtype, count - done);
}

void cop_storage_narrow_avx512(void *stored, const float *values, cop_dtype dtype, size_t count)
{
    char *const bytes = stored;
    size_t done = 0;
    if (dtype == COP_BF16) {
        for (; count - done >= LANES; done += LANES) {
            const __m256i packed = bf16_of(_mm512_castps_si512(_mm512_loadu_ps(values + done)));
            _mm256_storeu_si256((__m256i *)(void *)(bytes + 2 * done), packed);
        }
    } else if (dtype == COP_F16) {
        for (; count - done >= LANES; done += LANES) {
            const __m256i packed =
                _mm512_cvtps_ph(_mm512_loadu_ps(values + done), _MM_FROUND_TO_NEAREST_INT);
            _mm256_storeu_si256((__m256i *)(void *)(bytes + 2 * done), packed);
        }
    }
    const size_t offset = done * cop_dtype_size(dtype);
    cop_storage_narrow_scalar(bytes + offset, values + done, dtype, count - done);
}

void cop_storage_add_avx512(float *sums, const float *values, float factor, size_t count)
{
    const __m512 by = _mm512_set1_ps(factor);
    size_t done = 0;
    for (; count - done >= LANES; done += LANES)
        _mm512_storeu_ps(sums + done, _mm512_fmadd_ps(by, _mm512_loadu_ps(values + done),
                                                      _mm512_loadu_ps(sums + done)));
    cop_storage_add_scalar(sums + done, values + done, factor, count - done);
}
#endif
